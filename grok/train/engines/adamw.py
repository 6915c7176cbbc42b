"""The optimiser of the engines that torch steps: one call for all runs of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from grok.recipe import Recipe

if TYPE_CHECKING:
    from grok.train.state import State


def rate_by_count(recipe: Recipe, count: Tensor) -> Tensor:
    """``recipe.rate`` of a recipe with a warm-up, where the count is: the host of a CUDA graph cannot read it."""
    return (count / recipe.warmup).clamp(max=1) * recipe.lr


class AdamW:
    """torch's fused AdamW over flat rows, with moments that live in ``State``."""

    def __init__(self, recipe: Recipe, state: State):
        self.recipe = recipe
        self.flat = state.flat
        self.moments = state.exp_avg, state.exp_avg_sq
        self.count = torch.tensor(float(state.step), device=state.flat.device)
        self.grad = torch.zeros_like(state.flat)

    def update(self) -> None:
        r = self.recipe
        rate: float | Tensor = r.lr
        if r.warmup and self.count.is_cuda:
            rate = rate_by_count(r, self.count)
        elif r.warmup:
            rate = r.rate(int(self.count))
        self.count += 1
        torch._fused_adamw_(
            [self.flat],
            [self.grad],
            [self.moments[0]],
            [self.moments[1]],
            [],
            [self.count],
            lr=rate,
            beta1=r.betas[0],
            beta2=r.betas[1],
            weight_decay=r.weight_decay,
            eps=r.eps,
            amsgrad=False,
            maximize=False,
        )
