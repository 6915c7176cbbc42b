"""The GPU engine's step: Triton kernels, all seeds in each launch; float32.

What runs over the pairs is ``grok.kernels``, forward and backward, so nothing of size [pairs, d_mlp] is kept but
[pre | direct] and its gradient. Gradients are written out as in ``manual``. No atomics, and every sum and product adds
in an order that does not depend on the number of seeds: run i of a batch has the bits of run i alone. ``folded`` is the
reference. On a CPU it runs in Triton's interpreter, for tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from grok.errors import GrokError
from grok.kernels.adamw import corrections
from grok.kernels.adamw.triton import adamw
from grok.kernels.cross_entropy import triton as cross_entropy
from grok.kernels.fixed_order.triton import add_rows, matmul
from grok.kernels.relu_readout.triton import relu_readout, relu_readout_backward
from grok.kernels.token_mix.triton import Segments, gather_pairs, gather_pairs_backward, token_mix, token_mix_backward
from grok.models import matrices, names
from grok.models.architectures import recognise
from grok.models.names import Weights
from grok.recipe import Recipe

if TYPE_CHECKING:
    from grok.train.state import State


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
        return cls(Segments.of(pairs.to(device), recipe.task.n), labels.to(device))


@dataclass(frozen=True, eq=False)
class MLPTables:
    """What depends on weights only."""

    readout: Tensor  # [S, m, C]: W_U
    values: Tensor  # [S, p, m]: W_E W_in


@dataclass(frozen=True, eq=False)
class TransformerTables:
    """What depends on weights only; D = m + C, columns [W_in | W_U].

    The constant of the ``=`` row is in the first head's values, as a pair's weights sum to one.
    """

    readout: Tensor  # [S, m, C]: W_out W_U
    values: Tensor  # [S, h, 2p+1, D]
    scores: Tensor  # [S, 2p+1, h]
    x: Tensor  # [S, 2p+1, d]: residual stream at each table row
    query: Tensor  # [S, h, 1, k], scaled
    key: Tensor  # [S, h, d] = W_K query
    v: Tensor  # [S, h, 2p+1, k]
    read: Tensor  # [S, d, D]
    w_or: Tensor  # [S, h, k, D] = W_O [W_in | W_U]


Tables = MLPTables | TransformerTables


def mean_loss(weights: Weights, batch: Batch) -> Tensor:
    """[S]."""
    tables = _fold(weights)
    pre, direct, *_ = _forward(tables, batch)
    logits = relu_readout(pre, tables.readout, direct)
    return cross_entropy.mean(cross_entropy.losses(logits, batch.labels))


def loss_and_grads(weights: Weights, batch: Batch) -> tuple[Tensor, Weights]:
    """Mean loss [S] and its gradient by every matrix."""
    tables = _fold(weights)
    pre, direct, mixed, mix_weights = _forward(tables, batch)
    logits = relu_readout(pre, tables.readout, direct)
    loss, dlogits = cross_entropy.loss_and_grad(logits, batch.labels)
    dmixed = torch.empty_like(mixed)
    if direct is not None:
        dmixed[..., pre.shape[-1] :] = dlogits
    dpre = dmixed[..., : pre.shape[-1]]
    _, dreadout = relu_readout_backward(dlogits, pre, tables.readout, dpre=dpre)
    if isinstance(tables, MLPTables) or mix_weights is None:
        return loss, _unfold_mlp(weights, gather_pairs_backward(dmixed, batch.segments), dreadout)
    dscores, dvalues = token_mix_backward(dmixed, tables.values, mix_weights, batch.segments)
    return loss, _unfold_transformer(weights, tables, dscores, dvalues, dreadout)


def _forward(tables: Tables, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
    """→ pre [S, N, m], direct [S, N, C] or None, mixed = [pre | direct], weights of the mix."""
    if isinstance(tables, MLPTables):
        mixed = gather_pairs(tables.values, batch.segments)
        return mixed, None, mixed, None
    mixed, mix_weights = token_mix(tables.scores, tables.values, batch.segments)
    m = tables.readout.shape[1]
    return mixed[..., :m], mixed[..., m:], mixed, mix_weights


def _fold(w: Weights) -> Tables:
    """``grok.models.tables.fold`` for many seeds."""
    architecture = recognise(w).name
    if architecture == "mlp":
        return MLPTables(w[names.MLP_W_U], matmul(w[names.MLP_W_E], w[names.MLP_W_IN]))
    if architecture != "transformer":
        raise GrokError(f"the fused engine cannot train a {architecture}; it knows mlp, transformer")
    embed, pos = w[names.W_E], w[names.W_POS]
    x = torch.cat([embed[:, :-1] + pos[:, :1], embed[:, :-1] + pos[:, 1:2], embed[:, -1:] + pos[:, 2:]], dim=1)
    equals = x[:, -1:]  # [S, 1, d]
    query = matmul(equals[:, None], w[names.W_Q]) / math.sqrt(w[names.W_Q].shape[-1])
    key = matmul(query, w[names.W_K].mT).squeeze(2)
    read = torch.cat([w[names.W_IN], w[names.W_U]], dim=2)
    v, w_or = matmul(x[:, None], w[names.W_V]), matmul(w[names.W_O], read[:, None])
    values = matmul(v, w_or)
    values[:, 0] += matmul(equals, read)
    readout, scores = matmul(w[names.W_OUT], w[names.W_U]), matmul(x, key.mT)
    return TransformerTables(readout, values, scores, x, query, key, v, read, w_or)


# ``manual`` writes the same chain rule for one seed. The two are not shared: ``manual`` folds values relative to the
# ``=`` row and pads its tables to cache lines, so its gradients arrive in another form; and it multiplies by torch,
# whose bits change with a seed dimension in front, where this needs ``matmul``, whose bits do not. Shared code would
# take the products and the form of the tables as arguments and be longer than both. Tests hold both to ``folded``.
def _unfold_mlp(w: Weights, dtable: Tensor, dreadout: Tensor) -> Weights:
    return {
        names.MLP_W_E: matmul(dtable, w[names.MLP_W_IN].mT),
        names.MLP_W_IN: matmul(w[names.MLP_W_E].mT, dtable),
        names.MLP_W_U: dreadout,
    }


def _unfold_transformer(w: Weights, f: TransformerTables, dscores: Tensor, dvalues: Tensor, dU: Tensor) -> Weights:
    """Gradients of the nine matrices from those of the tables, by the chain rule of ``_fold``."""
    x, query, key, v, read, w_or = f.x, f.query, f.key, f.v, f.read, f.w_or
    m, d_head, p = f.readout.shape[1], query.shape[-1], (x.shape[1] - 1) // 2
    ddirect = add_rows(dvalues[:, 0])[:, None]  # [S, 1, D]
    dv, dw_or = matmul(dvalues, w_or.mT), matmul(v.mT, dvalues)
    dread = matmul(w[names.W_O].flatten(1, 2).mT, dw_or.flatten(1, 2)) + x[:, -1, :, None] * ddirect
    dkey = matmul(dscores.mT, x)  # [S, h, d]
    dquery = matmul(dkey[:, :, None], w[names.W_K]) / math.sqrt(d_head)  # [S, h, 1, k]
    dx = matmul(_side_by_side(dv), _side_by_side(w[names.W_V]).mT) + matmul(dscores, key)
    dx[:, -1:] += matmul(ddirect, read.mT) + matmul(_side_by_side(dquery), _side_by_side(w[names.W_Q]).mT)
    a, b, last = dx[:, :p], dx[:, p:-1], dx[:, -1:]
    return {
        names.W_E: torch.cat([a + b, last], dim=1),
        names.W_POS: torch.stack([add_rows(a), add_rows(b), last[:, 0]], dim=1),
        names.W_Q: x[:, None, -1, :, None] * dquery,
        names.W_K: dkey[..., None] * query,
        names.W_V: matmul(x.mT[:, None], dv),
        names.W_O: matmul(dw_or, read.mT[:, None]),
        names.W_IN: dread[..., :m],
        names.W_OUT: matmul(dU, w[names.W_U].mT),
        names.W_U: dread[..., m:] + matmul(w[names.W_OUT].mT, dU),
    }


def _side_by_side(heads: Tensor) -> Tensor:
    """[S, h, n, k] → [S, n, h · k]."""
    return heads.transpose(1, 2).flatten(2)


class Fused:
    """Engine over ``State``'s flat rows, with the one-launch AdamW."""

    def __init__(self, recipes: list[Recipe], state: State):
        self.recipe, self.state = recipes[0], state
        device = state.flat.device
        splits = [r.split() for r in recipes]
        self.train = Batch.of(self.recipe, [s.train for s in splits], device)
        self.test = Batch.of(self.recipe, [s.test for s in splits], device)
        self.weights = matrices.views(state.flat, self.recipe)
        self.grad = torch.zeros_like(state.flat)
        self.grads = matrices.views(self.grad, self.recipe)
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
