"""Dot products of the logits with every cube cos w_k(s - c), without building a cube.

    Σ_{ab c} L[ab, c] cos w_k(s - c) = Σ_r cos(w_k r) Σ_c R[r + c, c],    R[s, c] = Σ_{ab: s} L[ab, c]

Rows are added by s, then diagonals of that p × p table, then one cosine transform of length p gives all k at once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def coefficients(logits: Tensor, sign: int = 1) -> Tensor:
    """[S, p², p], a-major pairs, s = (a + sign · b) mod p → [S, (p-1)/2], entry k-1 for frequency k. Not normalised."""
    p = logits.shape[-1]
    tokens = torch.arange(p, device=logits.device)
    labels = ((tokens[:, None] + sign * tokens) % p).flatten()
    table = logits.new_zeros(len(logits), p, p).index_add_(1, labels, logits)
    return transform(table)


def transform(table: Tensor) -> Tensor:
    """From sums by s: [S, p, p] over (s, c) → [S, (p-1)/2]."""
    p = table.shape[-1]
    c = torch.arange(p, device=table.device)
    diagonals = table[:, (c[:, None] + c) % p, c].sum(-1)  # [S, r]
    angles = 2 * math.pi / p * ((torch.arange(1, (p + 1) // 2, device=table.device)[:, None] * c) % p).double()
    return diagonals @ angles.cos().to(table).T
