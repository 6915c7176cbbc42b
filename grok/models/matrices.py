"""Names, shapes and initial values of the trained matrices, and their flat layout in memory.

Transformers use TransformerLens's names; the MLP uses the names of its source (``W_E``, ``W_in``, ``W_U``).
Biases are absent here: the four recipes freeze them at zero. Models of others may have them (``store.checkpoint``).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grok.recipe import Recipe

Weights = dict[str, Tensor]  # name → matrix, possibly with a leading seed dimension

W_E, W_POS, W_U = "embed.W_E", "pos_embed.W_pos", "unembed.W_U"
W_Q, W_K, W_V, W_O = (f"blocks.0.attn.W_{x}" for x in "QKVO")
W_IN, W_OUT = "blocks.0.mlp.W_in", "blocks.0.mlp.W_out"
MLP_W_E, MLP_W_IN, MLP_W_U = "W_E", "W_in", "W_U"


def shapes(recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Shape of each trained matrix, in the order in which the sources draw them.

    The order W_Q, W_O, W_K, W_V is TransformerLens's own; with ``manual_seed(999)`` it gives
    ``HookedTransformer(seed=999)`` bit for bit (claim S1 checks the resulting losses).
    """
    p, d, m, c = recipe.task.p, recipe.d_model, recipe.d_mlp, recipe.task.n_classes
    if recipe.architecture == "mlp":
        return {MLP_W_E: (p, d), MLP_W_IN: (d, m), MLP_W_U: (m, c)}
    h, k = recipe.n_heads, recipe.d_head
    return {
        W_E: (p + 1, d),
        W_POS: (3, d),
        W_Q: (h, d, k),
        W_O: (h, k, d),
        W_K: (h, d, k),
        W_V: (h, d, k),
        W_IN: (d, m),
        W_OUT: (m, d),
        W_U: (d, c),
    }


def size(recipe: Recipe) -> int:
    """Number of trained parameters."""
    return sum(math.prod(shape) for shape in shapes(recipe).values())


def initial(recipe: Recipe) -> Weights:
    """The untrained weights of the recipe's seed, float32.

    MLP: randn / √fan-in. Transformer: normal with std 0.8 / √d_model. Drawn on the CPU whatever the device.
    """
    generator = torch.Generator().manual_seed(recipe.seed)
    if recipe.architecture == "mlp":
        return {name: torch.randn(s, generator=generator) / math.sqrt(s[0]) for name, s in shapes(recipe).items()}
    std = 0.8 / math.sqrt(recipe.d_model)
    return {name: torch.empty(s).normal_(std=std, generator=generator) for name, s in shapes(recipe).items()}


def flatten(weights: Weights, recipe: Recipe) -> Tensor:
    """All matrices in one row, in the order of ``shapes``: [size]."""
    return torch.cat([weights[name].reshape(-1) for name in shapes(recipe)])


def views(flat: Tensor, recipe: Recipe) -> Weights:
    """The matrices as views into flat rows: [*, size] → name → [*, *shape]. Writing to a view writes to ``flat``."""
    parts = flat.split([math.prod(s) for s in shapes(recipe).values()], dim=-1)
    return {name: part.unflatten(-1, shape) for (name, shape), part in zip(shapes(recipe).items(), parts, strict=True)}
