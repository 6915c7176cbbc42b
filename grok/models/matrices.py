"""Shapes and initial values of a recipe's trained matrices, and their flat layout in memory, for every architecture."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grok.models import architectures
from grok.models.names import Weights
from grok.recipe import Recipe


def shapes(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Shape of each trained matrix, in the order in which the sources draw them."""
    return architectures.named(recipe.architecture).shapes(recipe)


def size(recipe: Recipe) -> int:
    """Number of trained parameters."""
    return sum(math.prod(shape) for shape in shapes(recipe).values())


def initial(recipe: Recipe) -> Weights:
    """The untrained weights of the recipe's seed, float32. They are drawn on the CPU, for every device."""
    generator = torch.Generator().manual_seed(recipe.seed)
    return architectures.named(recipe.architecture).initial(recipe, generator)


def flatten(weights: Weights, recipe: Recipe) -> Tensor:
    """All matrices in one row, in the order of ``shapes``: [size]."""
    return torch.cat([weights[name].reshape(-1) for name in shapes(recipe)])


def views(flat: Tensor, recipe: Recipe) -> Weights:
    """The matrices as views into flat rows: [*, size] → name → [*, *shape]. Writing to a view writes to ``flat``."""
    parts = flat.split([math.prod(s) for s in shapes(recipe).values()], dim=-1)
    return {name: part.unflatten(-1, shape) for (name, shape), part in zip(shapes(recipe).items(), parts, strict=True)}
