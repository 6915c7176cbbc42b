"""The GPU engine's step: Triton kernels, all seeds in each launch; float32.

What runs over the pairs is ``grok.kernels``, forward and backward, so nothing of size [pairs, d_mlp] is kept but
[pre | direct] and its gradient. Gradients are written out as in ``manual``. No atomics, and every sum and product adds
in an order that does not depend on the number of seeds: run i of a batch has the bits of run i alone. ``folded`` is the
reference. On a CPU it runs in Triton's interpreter, for tests.

A launch takes longer than most of what a small network's step computes, so there are few: what depends on weights only
is a launch for each level of products (``chains``), and memory is allocated once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from grok.errors import GrokError
from grok.kernels.adamw import corrections
from grok.kernels.adamw.triton import adamw, counts
from grok.kernels.cross_entropy.triton import block_losses, blocks, mean
from grok.kernels.relu_readout.triton import SPLITS, backward_pre, backward_readout, relu_readout
from grok.kernels.token_mix.segments import Segments
from grok.models import matrices
from grok.recipe import Recipe
from grok.train.engines.beside import Beside
from grok.train.engines.chains import CHAINS, Chain, Mixed, padded

if TYPE_CHECKING:
    from grok.train.state import State


@dataclass(frozen=True, eq=False)
class Batch:
    """The pairs of each seed on the device, and the memory of a pass over them."""

    mixed: Mixed
    labels: Tensor  # [S, N]
    logits: Tensor  # [S, N, padded(C)]
    partial: Tensor  # [S, blocks]

    @classmethod
    def of(cls, recipe: Recipe, which: list[Tensor], chain: Chain) -> Batch:
        """The pairs at these indices of each seed, sorted: neighbours share table rows."""
        rows, empty = torch.stack([w.sort().values for w in which]), chain.readout.new_empty
        pairs, labels = recipe.task.pairs()[rows], recipe.task.labels()[rows]
        device, (s, n) = chain.readout.device, labels.shape
        segments, weights = Segments.of(pairs.to(device), recipe.task.n), empty(s, n, 2, chain.heads)
        mixed = Mixed(segments, empty(s, n, chain.width), weights)
        return cls(mixed, labels.to(device), empty(s, n, padded(chain.n_classes)), empty(s, blocks(n)))


class Fused:
    """Engine over ``State``'s flat rows, with the one-launch AdamW. precision: how products round, ``kernels.dot``."""

    def __init__(self, recipes: list[Recipe], state: State, precision: str):
        self.recipe, self.state, self.precision = recipes[0], state, precision
        if self.recipe.architecture not in CHAINS:
            raise GrokError(f"the fused engine cannot train a {self.recipe.architecture}; it knows {', '.join(CHAINS)}")
        self.grad = torch.empty_like(state.flat)
        given, grads = (matrices.views(flat, self.recipe) for flat in (state.flat, self.grad))
        self.chain: Chain = CHAINS[self.recipe.architecture](given, grads, precision)
        splits = [r.split() for r in recipes]
        self.train = Batch.of(self.recipe, [s.train for s in splits], self.chain)
        self.test = Batch.of(self.recipe, [s.test for s in splits], self.chain)
        n_seeds, m, columns = len(recipes), self.chain.readout.shape[1], padded(self.chain.n_classes)
        self.dmixed = torch.empty_like(self.train.mixed.mixed)
        self.dpre, ddirect = self.dmixed[..., :m], self.dmixed[..., m:]
        self.dlogits = ddirect if ddirect.shape[2] else torch.empty_like(self.train.logits)  # the same, so one memory
        self.partial = self.dmixed.new_empty(n_seeds, SPLITS, m, columns)
        self.beside, self.testing = Beside(state.flat.device), Beside(state.flat.device)
        self.count = counts(state.flat, state.step)
        self.table = corrections(self.recipe.steps, self.recipe.betas).to(state.flat.device)

    @property
    def mutable(self) -> list[Tensor]:
        """Everything that a step changes."""
        return [self.state.flat, self.state.exp_avg, self.state.exp_avg_sq, self.count]

    def advance(self) -> Tensor:
        self.chain.fold()
        return self._step()

    def advance_tested(self) -> tuple[Tensor, Tensor]:
        self.chain.fold()
        with self.testing():
            test = self._loss(self.test)
        train = self._step(self.testing)
        return test, train

    def train_loss(self) -> Tensor:
        self.chain.fold()
        return self._loss(self.train)

    def test_loss(self) -> Tensor:
        self.chain.fold()
        return self._loss(self.test)

    def _step(self, reading: Beside | None = None) -> Tensor:
        """An update; after ``chain.fold``. The weights change when what is ``reading`` them has ended."""
        pre = self._block_losses(self.train, self.dlogits)
        backward_pre(self.dlogits, pre, self.chain.readout, dpre=self.dpre, precision=self.precision)
        with self.beside():  # what follows does not need these for some time, and does not fill a large GPU
            loss = self._mean(self.train)
            into = {"dunembedding": self.chain.dreadout, "partial": self.partial}
            backward_readout(self.dlogits, pre, **into, precision=self.precision)
        self.chain.unmix(self.dmixed, self.train.mixed)
        self.chain.unfold(self.beside)
        if reading:
            reading.join()
        r, s = self.recipe, self.state
        settings: Any = {"lr": r.lr, "betas": r.betas, "eps": r.eps, "weight_decay": r.weight_decay}
        adamw(s.flat, self.grad, s.exp_avg, s.exp_avg_sq, self.count, self.table, **settings)
        return loss

    def _loss(self, batch: Batch) -> Tensor:
        """Mean loss [S], after ``chain.fold``."""
        self._block_losses(batch)
        return self._mean(batch)

    def _block_losses(self, batch: Batch, grad: Tensor | None = None) -> Tensor:
        """``batch.partial``, after ``chain.fold``, and the gradient of the mean loss by the logits to ``grad``; pre."""
        self.chain.mix(batch.mixed)
        m = self.chain.readout.shape[1]
        pre, direct = batch.mixed.mixed[..., :m], batch.mixed.mixed[..., m:]
        given = direct if direct.shape[2] else None
        relu_readout(pre, self.chain.readout, given, logits=batch.logits, precision=self.precision)
        block_losses(batch.logits, batch.labels, self.chain.n_classes, partial=batch.partial, grad=grad)
        return pre

    def _mean(self, batch: Batch) -> Tensor:
        return mean(batch.partial, batch.labels.shape[1])
