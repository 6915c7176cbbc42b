"""A transformer's step as the sources write it, in plain torch: the foot of the ladder where TransformerLens is not.

All three positions go through every layer, the loss is a float64 log-softmax, AdamW is torch's own. One run, not many.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grok.models import matrices, names
from grok.recipe import Recipe
from grok.train.state import State


class Eager:
    """An engine (``grok.train.engines.engine.Engine``) that leaves ``State`` as it was and trains its own copy."""

    def __init__(self, recipe: Recipe, state: State):
        device, task, split = state.flat.device, recipe.task, recipe.split()
        self.weights = {
            name: w.clone().requires_grad_() for name, w in matrices.views(state.flat[0].clone(), recipe).items()
        }
        settings = {"lr": recipe.lr, "betas": recipe.betas, "eps": recipe.eps, "weight_decay": recipe.weight_decay}
        self.optimiser = torch.optim.AdamW(list(self.weights.values()), **settings)
        pairs, labels = task.pairs(), task.labels()
        tokens = torch.cat([pairs, torch.full((len(pairs), 1), task.n)], dim=1)
        self.train, self.test = (
            (tokens[which].to(device), labels[which].to(device)) for which in (split.train, split.test)
        )

    def advance(self) -> Tensor:
        loss = self._loss(*self.train)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        return loss.detach()[None]

    @torch.no_grad()
    def train_loss(self) -> Tensor:
        return self._loss(*self.train)[None]

    @torch.no_grad()
    def test_loss(self) -> Tensor:
        return self._loss(*self.test)[None]

    def _loss(self, tokens: Tensor, labels: Tensor) -> Tensor:
        logits = self._logits(tokens)[:, -1].to(torch.float64)
        return -logits.log_softmax(-1).gather(-1, labels[:, None])[:, 0].mean()

    def _logits(self, tokens: Tensor) -> Tensor:
        """[N, 3] → [N, 3, C]."""
        w = self.weights
        x = w[names.W_E][tokens] + w[names.W_POS]
        q, k, v = (torch.einsum("npd,hdk->nhpk", x, w[name]) for name in (names.W_Q, names.W_K, names.W_V))
        scores = torch.einsum("nhqk,nhpk->nhqp", q, k) / math.sqrt(q.shape[-1])
        later = torch.ones(3, 3, dtype=torch.bool, device=x.device).triu(1)
        z = torch.einsum("nhqp,nhpk->nhqk", scores.masked_fill(later, -math.inf).softmax(-1), v)
        x = x + torch.einsum("nhqk,hkd->nqd", z, w[names.W_O])
        x = x + (x @ w[names.W_IN]).relu() @ w[names.W_OUT]
        return x @ w[names.W_U]
