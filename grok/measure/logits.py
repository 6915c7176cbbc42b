"""Logits on all pairs: their alignment with cos w_k(s - c), and their two-dimensional spectrum.

L is [p², p]; labels are s = (a ± b) mod p of each pair, [p²]. The dot product of L with the cube cos w_k(s - c) needs
no cube: rows of L are added by s, the diagonals r = s - c of that p × p table are added, and one cosine transform of
length p gives all k at once. The squared norm of each cube is p³/2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from grok.fourier.basis import basis


def sums_by_label(values: Tensor, labels: Tensor, p: int) -> Tensor:
    """Σ over the pairs of each s: [p², ...] → [p, ...], float64."""
    return values.new_zeros(p, *values.shape[1:], dtype=torch.float64).index_add_(0, labels, values.double())


def cosine_projections(logits: Tensor, labels: Tensor) -> Tensor:
    """Dot products of L with the cubes cos w_k(s - c) scaled to norm one, k = 1 … (p-1)/2: [p², p] → [(p-1)/2]."""
    p = logits.shape[1]
    table = sums_by_label(logits, labels, p)  # [s, c]
    c = torch.arange(p)
    diagonals = table[(c[:, None] + c[None]) % p, c].sum(1)  # [r]: Σ_c table[r + c, c]
    # A unit cosine of the basis has norm one over r; each r stands for p² entries of the cube.
    return basis(p)[1::2] @ diagonals / p


def cosine_similarities(logits: Tensor, labels: Tensor) -> Tensor:
    """Cosine of the angle between L and each cube cos w_k(s - c), L as it is (source S): [(p-1)/2], in -1 … 1."""
    return cosine_projections(logits, labels) / logits.double().norm()


def at(values: Tensor, key_frequencies: Sequence[int]) -> Tensor:
    """Entries of the frequencies K in a list that starts with k = 1."""
    return values[torch.tensor(key_frequencies) - 1]


def formula(logits: Tensor, labels: Tensor, key_frequencies: Sequence[int]) -> Tensor:
    """Σ_K α_k cos w_k(s - c) with α by projection of L, as a table over (s, c): [p, p].

    The logits of the formula are ``formula(...)[labels]``.
    """
    p = logits.shape[1]
    alpha = at(cosine_projections(logits, labels), key_frequencies) * math.sqrt(2 / p**3)
    r = (torch.arange(p)[:, None] - torch.arange(p)[None]) % p
    waves = basis(p)[1::2][torch.tensor(key_frequencies) - 1] * math.sqrt(p / 2)  # [|K|, r], amplitude one
    return (alpha @ waves)[r]
