"""The GPU engine's step: Triton kernels between the tables and the loss, all seeds in each launch; float32.

What depends on the weights alone (score and value tables, W_out W_U) is small and left to autograd; what runs over the
pairs is ``grok.kernels``, forward and backward, so nothing of size [pairs, d_mlp] is kept but [pre | direct] and its
gradient. No atomics anywhere. ``folded`` is its reference. On a CPU it runs in Triton's interpreter, for tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from grok import weights as names
from grok.kernels.adamw import corrections
from grok.kernels.adamw.triton import adamw
from grok.kernels.cross_entropy import triton as cross_entropy
from grok.kernels.relu_readout.triton import relu_readout, relu_readout_backward
from grok.kernels.token_mix.triton import Segments, sum_rows, sum_rows_backward, token_mix, token_mix_backward
from grok.recipe import Recipe
from grok.weights import Weights

if TYPE_CHECKING:
    from grok.train.run import State

PRECISION = "ieee"  # of the products over pairs; "tf32x3" is to be proved on a run before it stands here


@dataclass(frozen=True, eq=False)
class Batch:
    """The pairs of each seed, on the device: segments of [S, N, 2], labels [S, N]."""

    segments: Segments
    labels: Tensor

    @classmethod
    def of(cls, recipe: Recipe, which: list[Tensor], device: torch.device) -> Batch:
        """The pairs at these indices of each seed, sorted: neighbours share table rows."""
        rows = torch.stack([w.sort().values for w in which])
        pairs, labels = recipe.task.pairs()[rows], recipe.task.labels()[rows]
        return cls(Segments.of(pairs.to(device), recipe.task.p), labels.to(device))


def mean_loss(weights: Weights, batch: Batch) -> Tensor:
    """[S]."""
    pre, direct, readout = _forward(_tables(weights), batch)[:3]
    logits = relu_readout(pre, readout, direct, precision=PRECISION)
    return cross_entropy.losses(logits, batch.labels).mean(-1)


def loss_and_grads(weights: Weights, batch: Batch) -> tuple[Tensor, Weights]:
    """Mean loss [S] and its gradient by every matrix."""
    leaves = {name: w.detach().requires_grad_() for name, w in weights.items()}
    with torch.enable_grad():
        tables = _tables(leaves)
    detached = tuple(t.detach() for t in tables)
    pre, direct, readout, mixed, mix_weights = _forward(detached, batch)
    logits = relu_readout(pre, readout, direct, precision=PRECISION)
    loss, dlogits = cross_entropy.loss_and_grad(logits, batch.labels)
    dmixed = torch.empty_like(mixed)
    if direct is not None:
        dmixed[..., pre.shape[-1] :] = dlogits
    _, dreadout = relu_readout_backward(dlogits, pre, readout, dpre=dmixed[..., : pre.shape[-1]], precision=PRECISION)
    if mix_weights is None:
        inputs: tuple[Tensor, ...] = (sum_rows_backward(dmixed, batch.segments),)
    else:
        inputs = token_mix_backward(dmixed, detached[2], mix_weights, batch.segments)
    grads = torch.autograd.grad(tables, list(leaves.values()), (dreadout, *inputs))
    return loss, dict(zip(leaves, grads, strict=True))


def _forward(tables: tuple[Tensor, ...], batch: Batch) -> tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor | None]:
    """→ pre [S, N, m], direct [S, N, C] or None, readout [S, m, C], mixed = [pre | direct], weights of the mix."""
    readout, m = tables[0], tables[0].shape[1]
    if len(tables) == 2:
        mixed = sum_rows(tables[1], batch.segments)
        return mixed, None, readout, mixed, None
    mixed, mix_weights = token_mix(tables[1], tables[2], batch.segments)
    return mixed[..., :m], mixed[..., m:], readout, mixed, mix_weights


def _tables(w: Weights) -> tuple[Tensor, ...]:
    """What depends on weights only. MLP: readout, table [S, p, m]. Transformer: readout [S, m, C],
    scores [S, 2p+1, h], values [S, h, 2p+1, m + C]; the constant of the ``=`` row is in the first head's values,
    as a pair's weights sum to one.
    """
    if names.MLP_W_E in w:
        return w[names.MLP_W_U], w[names.MLP_W_E] @ w[names.MLP_W_IN]
    embed, pos = w[names.W_E], w[names.W_POS]
    x = torch.cat([embed[:, :-1] + pos[:, :1], embed[:, :-1] + pos[:, 1:2], embed[:, -1:] + pos[:, 2:]], dim=1)
    equals = x[:, None, -1:]  # [S, 1, 1, d]
    query = (equals @ w[names.W_Q]) / math.sqrt(w[names.W_Q].shape[-1])  # [S, h, 1, k]
    key = (query @ w[names.W_K].mT).squeeze(2)  # [S, h, d]
    read = torch.cat([w[names.W_IN], w[names.W_U]], dim=2)
    values = (x[:, None] @ w[names.W_V]) @ (w[names.W_O] @ read[:, None])
    first = torch.zeros(values.shape[1], 1, 1, dtype=values.dtype, device=values.device)
    first[0] = 1
    values = values + first * (equals @ read[:, None])
    return w[names.W_OUT] @ w[names.W_U], x @ key.mT, values


class Fused:
    """Engine over ``State``'s flat rows, with the one-launch AdamW."""

    def __init__(self, recipes: list[Recipe], state: State):
        self.recipe, self.state = recipes[0], state
        device = state.flat.device
        splits = [r.split() for r in recipes]
        self.train = Batch.of(self.recipe, [s.train for s in splits], device)
        self.test = Batch.of(self.recipe, [s.test for s in splits], device)
        self.weights = names.views(state.flat, self.recipe)
        self.grad = torch.zeros_like(state.flat)
        self.grads = names.views(self.grad, self.recipe)
        self.count = torch.full((1,), state.step, dtype=torch.int32, device=device)
        self.table = corrections(self.recipe.steps, self.recipe.betas).to(device)

    @property
    def mutable(self) -> list[Tensor]:
        """Everything that a step changes."""
        return [self.state.flat, self.state.exp_avg, self.state.exp_avg_sq, self.count]

    def advance(self) -> Tensor:
        loss, grads = loss_and_grads(self.weights, self.train)
        for name, grad in grads.items():
            self.grads[name].copy_(grad)
        self.count += 1
        r, s = self.recipe, self.state
        adamw(
            s.flat,
            self.grad,
            s.exp_avg,
            s.exp_avg_sq,
            self.count,
            self.table,
            lr=r.lr,
            betas=r.betas,
            eps=r.eps,
            weight_decay=r.weight_decay,
        )
        return loss

    def train_loss(self) -> Tensor:
        return mean_loss(self.weights, self.train)

    def test_loss(self) -> Tensor:
        return mean_loss(self.weights, self.test)
