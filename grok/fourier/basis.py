"""The real orthonormal Fourier basis over Z_p (p odd) and transforms to it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

import torch
from torch import Tensor


@cache
def basis(p: int) -> Tensor:
    """Rows: constant, then cos and sin of k = 1 … (p-1)/2, each of unit norm: [p, p], float64.

    Row 2k-1 is cos k, row 2k is sin k.
    Raises ValueError for even p.
    """
    if p % 2 == 0:
        raise ValueError(f"the real Fourier basis here needs odd p, got {p}")
    angles = 2 * math.pi / p * torch.outer(torch.arange(1, (p + 1) // 2), torch.arange(p)).double()
    waves = torch.stack([angles.cos(), angles.sin()], dim=1).flatten(0, 1) * math.sqrt(2 / p)
    return torch.cat([torch.full((1, p), 1 / math.sqrt(p), dtype=torch.float64), waves])


def rows(frequencies: Iterable[int]) -> list[int]:
    """The rows of ``basis`` that are cos and sin of these k: 2k - 1 and 2k, in turn."""
    return [row for k in frequencies for row in (2 * k - 1, 2 * k)]


def powers(matrix: Tensor, dim: int = 0) -> Tensor:
    """Power of each k along a token axis of size p: squared norm of the projection on cos k and sin k: [(p-1)/2].

    Entry k-1 is frequency k. The constant is left out.
    """
    coefficients = basis(matrix.shape[dim]) @ matrix.movedim(dim, 0).flatten(1).double()
    return coefficients[1:].square().sum(1).unflatten(0, (-1, 2)).sum(1)


def spectrum_2d(values: Tensor, p: int) -> Tensor:
    """Coefficients over products of basis functions of a and b: [p², ...] (a-major) → [p, p, ...]. Keeps the norm."""
    f = basis(p)
    over_a = (f @ values.reshape(p, -1)).view(p, p, -1)  # two matrix products: one einsum would form f ⊗ f, p⁴ numbers
    return (f @ over_a).view(p, p, *values.shape[1:])


def pair_powers(values: Tensor, p: int) -> Tensor:
    """Power of each pair of frequencies (of a, of b): [p², n] → [(p+1)/2, (p+1)/2, n]; index 0 is the constant.

    Squared 2-D coefficients with cos and sin of a frequency added: entry [0, 0] is the mean, [k, 0] and [0, k] are the
    linear terms of k, [k, k] its quadratic ones. The total is the squared norm.
    """
    power = spectrum_2d(values, p).square_()
    over_a = torch.cat([power[:1], power[1::2].add_(power[2::2])])
    return torch.cat([over_a[:, :1], over_a[:, 1::2].add_(over_a[:, 2::2])], dim=1)
