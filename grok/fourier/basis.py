"""The real orthonormal Fourier basis over Z_p (p odd) and transforms to it."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor


@cache
def basis(p: int) -> Tensor:
    """Rows: constant, then cos and sin of k = 1 … (p-1)/2, each of unit norm: [p, p], float64. Row 2k-1 is cos k, 2k sin k.

    Raises ValueError for even p.
    """
    if p % 2 == 0:
        raise ValueError(f"the real Fourier basis here needs odd p, got {p}")
    angles = 2 * math.pi / p * torch.outer(torch.arange(1, (p + 1) // 2), torch.arange(p)).double()
    waves = torch.stack([angles.cos(), angles.sin()], dim=1).flatten(0, 1) * math.sqrt(2 / p)
    return torch.cat([torch.full((1, p), 1 / math.sqrt(p), dtype=torch.float64), waves])


def powers(matrix: Tensor, dim: int = 0) -> Tensor:
    """Power of each k along a token axis of size p: squared norm of the projection on cos k and sin k: [(p-1)/2].

    Entry k-1 is frequency k. The constant is left out.
    """
    coefficients = basis(matrix.shape[dim]) @ matrix.movedim(dim, 0).flatten(1).double()
    return coefficients[1:].square().sum(1).unflatten(0, (-1, 2)).sum(1)


def spectrum_2d(values: Tensor, p: int) -> Tensor:
    """Coefficients over products of basis functions of a and b: [p², ...] (a-major) → [p, p, ...]. Keeps the norm."""
    f = basis(p)
    return torch.einsum("ia,jb,ab...->ij...", f, f, values.unflatten(0, (p, p)))
