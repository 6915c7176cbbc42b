"""Attention of the last position over three tokens, from tables over token values.

The query is always the ``=`` token and a key or value is one of p, so scores and values are tables. They are taken
relative to those of ``=``: its own score and value are zero, and what it adds to every pair is in ``constants``:

    w = softmax(scores[a, h], scores[p+b, h], 0),    mixed = Σ_h (w₀ values[h, a] + w₁ values[h, p+b]) + Σ constants.
"""

from __future__ import annotations

import torch
from torch import Tensor


def token_mix(scores: Tensor, values: Tensor, constants: Tensor, pairs: Tensor) -> Tensor:
    """[S, 2p, h], [S, h, 2p, D], [S, n, D], pairs [S, N, 2] → mixed [S, N, D]. Differentiable."""
    rows = torch.stack([pairs[..., 0], scores.shape[1] // 2 + pairs[..., 1]], dim=-1)  # [S, N, 2]
    seeds = torch.arange(scores.shape[0], device=scores.device)[:, None, None]
    weights = torch.nn.functional.pad(scores[seeds, rows], (0, 0, 0, 1)).softmax(dim=2)[:, :, :2]  # [S, N, 2, h]
    heads = values.permute(0, 2, 1, 3)[seeds, rows]  # [S, N, 2, h, D]
    return torch.einsum("snjh,snjhd->snd", weights, heads) + constants.sum(1, keepdim=True)
