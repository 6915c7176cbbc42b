"""Attention of the last position over three tokens, from tables over token values.

The query is always the ``=`` token and a key or value is one of p, so scores and values are tables:

    w = softmax_j(scores[row_j, h]),    mixed = Σ_h Σ_j w[h, j] · values[h, row_j] + constant,    rows = (a, p + b, 2p).
"""

from __future__ import annotations

import torch
from torch import Tensor


def token_mix(scores: Tensor, values: Tensor, constant: Tensor, pairs: Tensor) -> Tensor:
    """[S, 2p+1, h], [S, h, 2p+1, D], [S, 1, D], pairs [S, N, 2] → mixed [S, N, D]. Differentiable."""
    rows = _rows(pairs, scores.shape[1])  # [S, N, 3]
    seeds = torch.arange(scores.shape[0], device=scores.device)
    weights = scores[seeds[:, None, None], rows].softmax(dim=2)  # [S, N, 3, h]
    heads = values.permute(0, 2, 1, 3)[seeds[:, None, None], rows]  # [S, N, 3, h, D]
    return torch.einsum("snjh,snjhd->snd", weights, heads) + constant


def _rows(pairs: Tensor, n_rows: int) -> Tensor:
    """Table rows of each pair: [S, N, 2] → [S, N, 3]."""
    p = (n_rows - 1) // 2
    a, b = pairs.unbind(-1)
    return torch.stack([a, p + b, torch.full_like(a, 2 * p)], dim=-1)
