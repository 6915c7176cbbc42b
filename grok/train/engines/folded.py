"""The model as a function of its weights, reassociated; differentiable, batched over seeds, any device and dtype.

Only the last position counts, and the products of weights are taken once, not per
pair. The same function as ``grok.models``, to rounding; autograd gives the gradients of the original matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grok.errors import GrokError
from grok.kernels import cross_entropy
from grok.models import names
from grok.models.activations import ACTIVATIONS
from grok.models.names import Weights
from grok.recipe import RELU, SQUARED_ERROR, Activation, Recipe


def logits(weights: Weights, pairs: Tensor, recipe: Recipe) -> Tensor:
    """Logits at the last position: weights [S, ...], pairs [S, N, 2] → [S, N, C]."""
    if recipe.architecture not in FORWARD:
        raise GrokError(f"this engine cannot train a {recipe.architecture}; it knows {', '.join(FORWARD)}")
    forward = FORWARD[recipe.architecture]
    return forward(weights, pairs) if recipe.activation == RELU else forward(weights, pairs, recipe.activation)


def mean_loss(weights: Weights, pairs: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """Mean loss of each seed, of the recipe's kind: [S]."""
    found = logits(weights, pairs, recipe)
    if recipe.loss == SQUARED_ERROR:
        right = found.gather(-1, labels.unsqueeze(-1))
        return (found.square().sum(-1) + 1 - 2 * right.squeeze(-1)).mean(-1) / found.shape[-1]
    return cross_entropy.losses(found, labels).mean(-1)


def loss_and_grads(weights: Weights, pairs: Tensor, labels: Tensor, recipe: Recipe) -> tuple[Tensor, Weights]:
    """Mean loss [S] and its gradient by every matrix, by autograd."""
    leaves = {name: w.detach().requires_grad_() for name, w in weights.items()}
    loss = mean_loss(leaves, pairs, labels, recipe)
    grads = torch.autograd.grad(loss.sum(), list(leaves.values()))
    return loss.detach(), dict(zip(leaves, grads, strict=True))


def _mlp(w: Weights, pairs: Tensor, activation: Activation = RELU) -> Tensor:
    table = w[names.MLP_W_E] @ w[names.MLP_W_IN]  # [S, p, m]
    a, b = pairs.unbind(-1)
    pre = _rows(table, a) + _rows(table, b)
    return ACTIVATIONS[activation](pre) @ w[names.MLP_W_U]


def _concat(w: Weights, pairs: Tensor) -> Tensor:
    w_x, w_y = w[names.CONCAT_W_X], w[names.CONCAT_W_Y]
    reads_a, reads_b = w[names.CONCAT_W].tensor_split([w_x.shape[-1]], dim=1)
    a, b = pairs.unbind(-1)
    pre = _rows(w_x @ reads_a, a) + _rows(w_y @ reads_b, b)
    return pre.relu() @ w[names.CONCAT_W_U]


def _quadratic(w: Weights, pairs: Tensor) -> Tensor:
    a, b = pairs.unbind(-1)
    return (_rows(w[names.TWO_HOT_A], a) + _rows(w[names.TWO_HOT_B], b)).square() @ w[names.TWO_HOT_OUT]


def _transformer(w: Weights, pairs: Tensor, activation: Activation = RELU) -> Tensor:
    embed, pos = w[names.W_E], w[names.W_POS]
    x0, x1 = (embed[:, :-1] + pos[:, i : i + 1] for i in (0, 1))  # [S, p, d]
    x2 = embed[:, -1:] + pos[:, 2:]  # [S, 1, d]
    d_head = w[names.W_Q].shape[-1]
    query = torch.einsum("sid,shdk->shk", x2, w[names.W_Q]) / math.sqrt(d_head)
    a, b = pairs.unbind(-1)
    scores, values = [], []
    for x, token in ((x0, a), (x1, b), (x2, torch.zeros_like(a))):
        scores.append(_rows(torch.einsum("sid,shdk,shk->sih", x, w[names.W_K], query), token))
        values.append(
            _rows(torch.einsum("sid,shdk->sihk", x, w[names.W_V]).flatten(2), token).unflatten(-1, query.shape[1:])
        )
    pattern = torch.stack(scores, -1).softmax(-1)  # [S, N, h, 3]
    z = sum(pattern[..., i, None] * values[i] for i in range(3)).flatten(2)  # [S, N, h·k]
    w_o = w[names.W_O].flatten(1, 2)  # [S, h·k, d]
    pre = z @ (w_o @ w[names.W_IN]) + x2 @ w[names.W_IN]
    direct = z @ (w_o @ w[names.W_U]) + x2 @ w[names.W_U]
    return direct + ACTIVATIONS[activation](pre) @ (w[names.W_OUT] @ w[names.W_U])


def _pizza_a(w: Weights, pairs: Tensor) -> Tensor:
    """Nothing is a product of a and b before the ReLU: what each token adds to neurons and logits is a table row."""
    pos = w[names.W_POS_AB]
    x_a, x_b = (w[names.W_E] + pos[:, i : i + 1] for i in (0, 1))  # [S, p, d]
    mixed = w[names.W_V].transpose(1, 2).flatten(2) @ w[names.W_O].flatten(1, 2)  # [S, d, d], over all heads
    from_a, from_b = x_a @ mixed, x_b + x_b @ mixed
    a, b = pairs.unbind(-1)
    pre, direct = (
        _rows(from_a @ read, a) + _rows(from_b @ read + constant, b)
        for read, constant in (
            (w[names.W_IN], w[names.B_IN].unsqueeze(1)),
            (w[names.W_U], (w[names.B_OUT].unsqueeze(1) @ w[names.W_U])),
        )
    )
    return direct + pre.relu() @ (w[names.W_OUT] @ w[names.W_U])


def _pizza_b(w: Weights, pairs: Tensor) -> Tensor:
    """A softmax over two scores is the logistic function of their difference."""
    pos = w[names.W_POS_AB]
    x_a, x_b = (w[names.W_E] + pos[:, i : i + 1] for i in (0, 1))  # [S, p, d]
    a, b = pairs.unbind(-1)
    (n_heads, _, d_head), p = w[names.W_Q].shape[1:], x_a.shape[1]
    query = torch.einsum("sbd,shdk->sbhk", x_b, w[names.W_Q]) / math.sqrt(d_head)
    key_a, key_b = (torch.einsum("std,shdk->sthk", x, w[names.W_K]) for x in (x_a, x_b))
    gap = torch.einsum("sahk,sbhk->sabh", key_a, query) - (key_b * query).sum(-1).unsqueeze(1)
    to_a = _rows(gap.flatten(1, 2).sigmoid(), a * p + b).unsqueeze(-1)  # [S, N, h, 1]
    v_a, v_b = (
        _rows(torch.einsum("std,shdk->sthk", x, w[names.W_V]).flatten(2), token).unflatten(-1, (n_heads, d_head))
        for x, token in ((x_a, a), (x_b, b))
    )
    z = (v_b + to_a * (v_a - v_b)).flatten(2)  # [S, N, h·k]
    w_o = w[names.W_O].flatten(1, 2)  # [S, h·k, d]
    pre = z @ (w_o @ w[names.W_IN]) + _rows(x_b @ w[names.W_IN] + w[names.B_IN].unsqueeze(1), b)
    direct = z @ (w_o @ w[names.W_U]) + _rows((x_b + w[names.B_OUT].unsqueeze(1)) @ w[names.W_U], b)
    return direct + pre.relu() @ (w[names.W_OUT] @ w[names.W_U])


FORWARD: dict[str, Callable[..., Tensor]] = {
    "mlp": _mlp,
    "concat": _concat,
    "quadratic": _quadratic,
    "transformer": _transformer,
    "pizza-a": _pizza_a,
    "pizza-b": _pizza_b,
}


def _rows(table: Tensor, token: Tensor) -> Tensor:
    """Rows of a table of each seed: [S, p, D], [S, N] → [S, N, D]."""
    if table.is_cuda:
        return OrderedRows.apply(table, token)
    return table.gather(1, token.unsqueeze(-1).expand(-1, -1, table.shape[-1]))


class OrderedRows(torch.autograd.Function):
    """``gather`` whose gradient adds in a fixed order: on a GPU the usual one uses atomics, other bits every time."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, token: Tensor) -> Tensor:
        ctx.save_for_backward(token)
        ctx.n_rows = table.shape[1]
        return table.gather(1, token.unsqueeze(-1).expand(-1, -1, table.shape[-1]))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (token,) = ctx.saved_tensors
        used = token.unsqueeze(1) == torch.arange(ctx.n_rows, device=token.device).unsqueeze(-1)  # [S, p, N]
        return used.to(grad.dtype) @ grad, None
