"""The CPU engine: one seed, every gradient written out, no autograd.

A pass over the pairs is: mix table rows → [pre | direct], ReLU, one product with U, cross-entropy; and back. What
depends only on the weights (the tables) is computed once a step in ``_fold_transformer``. ``folded`` is its reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from grok import weights as names
from grok.kernels import cross_entropy
from grok.kernels.token_mix.bag import (
    PairIndex,
    relative,
    sum_rows,
    sum_rows_backward,
    token_mix,
    token_mix_backward,
)
from grok.recipe import Recipe
from grok.weights import Weights

BLOCK = 2048  # pairs whose loss is computed together when no gradient is needed


@dataclass(frozen=True, eq=False)
class Batch:
    """Pairs with their labels, indexed for table look-ups: [N, 2], [N]."""

    index: PairIndex
    labels: Tensor

    @classmethod
    def of(cls, recipe: Recipe, which: Tensor) -> Batch:
        """The pairs at these indices, sorted: neighbours share table rows, which then stay in cache."""
        task, which = recipe.task, which.sort().values
        index = PairIndex(task.pairs()[which], task.p, max(recipe.n_heads, 1))
        return cls(index, task.labels()[which])

    @cached_property
    def blocks(self) -> list[Batch]:
        """The same pairs in pieces whose activations stay in cache from one operation to the next."""
        pieces = zip(self.index.pairs.split(BLOCK), self.labels.split(BLOCK), strict=True)
        return [Batch(PairIndex(pairs, self.index.p, self.index.n_heads), labels) for pairs, labels in pieces]


def loss(weights: Weights, batch: Batch) -> Tensor:
    """Mean loss, a scalar; weights without a seed dimension."""
    forward = _logits(weights)
    total = torch.zeros((), dtype=torch.float64)
    for block in batch.blocks:
        total += cross_entropy.losses(forward(block.index), block.labels).sum()
    return total / len(batch.labels)


def _logits(w: Weights) -> Callable[[PairIndex], Tensor]:
    """Pairs → logits [N, C], with what depends on the weights only computed once."""
    if names.MLP_W_E in w:
        table = w[names.MLP_W_E] @ w[names.MLP_W_IN]
        return lambda index: _mlp_forward(table, w[names.MLP_W_U], index)[-1]
    fold = _fold_transformer(w)
    return lambda index: _transformer_forward(fold, index)[-1]


def loss_and_grads(weights: Weights, batch: Batch) -> tuple[Tensor, Weights]:
    """Mean loss and its gradient by every matrix; weights without a seed dimension."""
    return (_mlp_step if names.MLP_W_E in weights else _transformer_step)(weights, batch)


def _readout_backward(post: Tensor, w_logit: Tensor, dlogits: Tensor, dpre: Tensor) -> Tensor:
    """Fills dpre [N, m], returns the gradient of the readout matrix [m, C]."""
    torch.mm(dlogits, w_logit.T, out=dpre)
    torch.ops.aten.threshold_backward.grad_input(dpre, post, 0, grad_input=dpre)
    return (dlogits.T @ post).T  # a third faster than post.T @ dlogits: the wide dimension innermost


# ── MLP ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mlp_forward(table: Tensor, w_u: Tensor, index: PairIndex) -> tuple[Tensor, Tensor]:
    """table: W_E W_in, [p, m] → post [N, m], logits [N, C]."""
    post = sum_rows(table.repeat(2, 1), index).relu_()
    return post, post @ w_u


def _mlp_step(w: Weights, batch: Batch) -> tuple[Tensor, Weights]:
    post, logits = _mlp_forward(w[names.MLP_W_E] @ w[names.MLP_W_IN], w[names.MLP_W_U], batch.index)
    value, dlogits = cross_entropy.loss_and_grad(logits, batch.labels)
    dpre = torch.empty_like(post)
    d_unembed = _readout_backward(post, w[names.MLP_W_U], dlogits, dpre)
    dtable = sum_rows_backward(dpre, batch.index).view(2, batch.index.p, -1).sum(0)
    grads = {
        names.MLP_W_E: dtable @ w[names.MLP_W_IN].T,
        names.MLP_W_IN: w[names.MLP_W_E].T @ dtable,
        names.MLP_W_U: d_unembed,
    }
    return value, grads


# ── transformer ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class _Fold:
    """The weight-only part of a forward pass; D = m + C, the columns [W_in | W_U]."""

    x: Tensor  # [2p+1, d] residual stream at each table row
    read: Tensor  # [d, D]
    w_logit: Tensor  # [m, C] = W_out W_U
    query: Tensor  # [h, k], scaled
    key: Tensor  # [h, d] = W_K query
    v: Tensor  # [h, 2p+1, k]
    w_or: Tensor  # [h, k, D] = W_O [W_in | W_U]
    scores: Tensor  # [2p+1, h]
    table: Tensor  # [2p·h, D]: values relative to the = row, token-major
    constant: Tensor  # [D]


def _fold_transformer(w: Weights) -> _Fold:
    embed, pos = w[names.W_E], w[names.W_POS]
    x = torch.cat([embed[:-1] + pos[0], embed[:-1] + pos[1], embed[-1:] + pos[2]])
    read = torch.cat([w[names.W_IN], w[names.W_U]], dim=1)
    query = (x[-1] @ w[names.W_Q]) / math.sqrt(w[names.W_Q].shape[-1])
    key = (w[names.W_K] @ query[..., None]).squeeze(-1)
    v = x @ w[names.W_V]
    w_or = w[names.W_O] @ read
    values = v @ w_or
    constant = x[-1] @ read + values[:, -1].sum(0)
    w_logit = w[names.W_OUT] @ w[names.W_U]
    return _Fold(x, read, w_logit, query, key, v, w_or, x @ key.T, relative(values), constant)


def _transformer_forward(fold: _Fold, index: PairIndex) -> tuple[Tensor, Tensor, Tensor]:
    """→ attention weights [N, 2, h], post [N, m], logits [N, C]."""
    mixed, attention = token_mix(fold.scores, fold.table, index)
    mixed += fold.constant
    m = fold.w_logit.shape[0]
    post = mixed[:, :m].clamp_min(0)
    return attention, post, torch.addmm(mixed[:, m:], post, fold.w_logit)


def _transformer_step(w: Weights, batch: Batch) -> tuple[Tensor, Weights]:
    fold = _fold_transformer(w)
    attention, post, logits = _transformer_forward(fold, batch.index)
    value, dlogits = cross_entropy.loss_and_grad(logits, batch.labels)
    m = post.shape[1]
    dmixed = logits.new_empty(len(logits), m + logits.shape[1])
    d_logit = _readout_backward(post, fold.w_logit, dlogits, dmixed[:, :m])
    dmixed[:, m:] = dlogits
    total = dmixed.sum(0)
    dscores, dvalues = token_mix_backward(dmixed, total, fold.table, attention, batch.index)
    return value, _unfold_transformer(w, fold, dscores, dvalues, total, d_logit)


def _unfold_transformer(
    w: Weights, f: _Fold, dscores: Tensor, dvalues: Tensor, dmixed: Tensor, dlogit: Tensor
) -> Weights:
    """Gradients of the nine matrices from those of the tables, by the chain rule of ``_fold_transformer``.

    dmixed [D] is the gradient summed over pairs: that of the direct path x₂ [W_in | W_U].
    """
    m, d_head = f.w_logit.shape[0], f.query.shape[-1]
    dv = dvalues @ f.w_or.mT  # [h, 2p+1, k]
    dw_or = f.v.mT @ dvalues  # [h, k, D]
    dread = (w[names.W_O].mT @ dw_or).sum(0) + torch.outer(f.x[-1], dmixed)
    dkey = dscores.T @ f.x  # [h, d]
    dquery = (dkey[:, None] @ w[names.W_K]).squeeze(1) / math.sqrt(d_head)
    dx = (dv @ w[names.W_V].mT).sum(0) + dscores @ f.key
    dx[-1] += f.read @ dmixed + (w[names.W_Q] @ dquery[..., None]).sum(0).squeeze(-1)
    p = (len(f.x) - 1) // 2
    return {
        names.W_E: torch.cat([dx[:p] + dx[p:-1], dx[-1:]]),
        names.W_POS: torch.stack([dx[:p].sum(0), dx[p:-1].sum(0), dx[-1]]),
        names.W_Q: f.x[-1][:, None] * dquery[:, None, :],
        names.W_K: dkey[..., None] * f.query[:, None, :],
        names.W_V: f.x.T @ dv,
        names.W_O: dw_or @ f.read.T,
        names.W_IN: dread[:, :m],
        names.W_OUT: dlogit @ w[names.W_U].T,
        names.W_U: dread[:, m:] + w[names.W_OUT].T @ dlogit,
    }
