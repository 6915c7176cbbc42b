"""Good models made bad, each in one known way: what a claim must refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from grok.models.network import Network
from grok.store.run import Run
from grok.task import Split

Subject = TypeVar("Subject", Network, Run)
SEED = 0


@dataclass(frozen=True)
class Lie:
    """``change`` makes false what the claims ``caught_by`` say. unseen: every answer is still right."""

    name: str
    change: Callable
    caught_by: str
    unseen: bool = False


def altered(
    model: Network, *, split: Split | None = None, weights: dict[str, Tensor] | None = None, **activations: object
) -> Network:
    """A copy with these weights, split or activations; whatever depends on an activation is computed from it."""
    copy = replace(model, weights={**model.weights, **(weights or {})}, split=split or model.split)
    vars(copy).update(activations)  # where cached properties keep their values
    return copy


def randn(*shape: int, seed: int = SEED) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noisy(matrix: Tensor, share: float) -> Tensor:
    """With Gaussian noise of this share of its norm."""
    noise = randn(*matrix.shape)
    return matrix + share * matrix.norm() / noise.norm() * noise


def swapped(split: Split) -> Split:
    return Split(train=split.test, test=split.train)
