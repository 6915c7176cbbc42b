"""The real orthonormal Fourier basis over Z_p (p odd) and transforms to it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, groupby

import torch
from torch import Tensor


@cache
def basis(p: int) -> Tensor:
    """The basis functions as rows: the constant, then cos and sin of k = 1 … (p-1)/2, of unit norm: [p, p], float64.

    Row 2k-1 is cos k, row 2k is sin k.
    Raises ValueError for even p.
    """
    if p % 2 == 0:
        raise ValueError(f"the real Fourier basis here needs odd p, got {p}")
    angles = 2 * math.pi / p * torch.outer(torch.arange(1, (p + 1) // 2), torch.arange(p)).double()
    waves = torch.stack([angles.cos(), angles.sin()], dim=1).flatten(0, 1) * math.sqrt(2 / p)
    return torch.cat([torch.full((1, p), 1 / math.sqrt(p), dtype=torch.float64), waves])


def rows(frequencies: Iterable[int]) -> list[int]:
    """The rows of ``basis`` that are cos and sin of these k: 2k - 1 and 2k for each k."""
    return [row for k in frequencies for row in (2 * k - 1, 2 * k)]


@dataclass(frozen=True, eq=False)
class Blocks:
    """An orthonormal basis of the functions on n elements, whose rows come in blocks.

    A block is a space of functions that the group maps into itself. For Z_p it is the cosine and the sine of one
    frequency. For a finite group it is the d² entries of a d-dimensional irreducible representation. Block 0 is the
    constant. A frequency k, in the words of the measures, is the number of a block, 1 … len(sizes) - 1.

    basis: [n, n], a row for each function, float64. sizes: the number of rows of each block, in the order of the rows.
    names: names of the blocks, if they have names beside their numbers.
    """

    basis: Tensor
    sizes: tuple[int, ...]
    names: tuple[str, ...] = ()

    def rows(self, which: Iterable[int]) -> list[int]:
        """The rows of these blocks, in the order given."""
        starts = list(accumulate(self.sizes, initial=0))
        return [row for k in which for row in range(starts[k], starts[k + 1])]

    def summed(self, values: Tensor, dim: int = 0) -> Tensor:
        """Sum over the rows of each block: size n along ``dim`` → number of blocks along ``dim``."""
        runs = [(size, len(list(run))) for size, run in groupby(self.sizes)]  # blocks of one size: one sum
        out = values.new_empty(*values.shape[:dim], len(self.sizes), *values.shape[dim + 1 :])
        parts = values.split([size * count for size, count in runs], dim)
        places = out.split([count for _, count in runs], dim)
        for part, place, (size, _) in zip(parts, places, runs, strict=True):
            torch.sum(part.unflatten(dim, (-1, size)), dim + 1, out=place)
        return out


@cache
def cyclic(p: int) -> Blocks:
    """The blocks of Z_p: {0}, then {2k - 1, 2k} for k = 1 … (p-1)/2. Raises ValueError for even p."""
    return Blocks(basis(p), (1,) + (2,) * ((p - 1) // 2))


def powers(matrix: Tensor, dim: int = 0, blocks: Blocks | None = None) -> Tensor:
    """Power of each block along an axis of n elements: [number of blocks - 1]. The default is the blocks of Z_p.

    The power is the squared norm of the projection on the block. For Z_p entry k-1 is frequency k: the projection on
    cos k and sin k. The constant is left out.
    """
    blocks = blocks or cyclic(matrix.shape[dim])
    coefficients = blocks.basis @ matrix.movedim(dim, 0).flatten(1).double()
    return blocks.summed(coefficients.square().sum(1))[1:]


def spectrum_2d(values: Tensor, n: int, blocks: Blocks | None = None) -> Tensor:
    """Coefficients over products of basis functions of a and b: [n², ...] (a-major) → [n, n, ...]. Keeps the norm."""
    f = (blocks or cyclic(n)).basis
    over_a = (f @ values.reshape(n, -1)).view(n, n, -1)  # two products, since one einsum would form f ⊗ f, n⁴ numbers
    return (f @ over_a).view(n, n, *values.shape[1:])


def pair_powers(values: Tensor, n: int, blocks: Blocks | None = None) -> Tensor:
    """Power of each pair of blocks, one of a and one of b: [n², m] → [h, h, m]. The default is the blocks of Z_p.

    The power is the sum of the squared 2-D coefficients over the rows of both blocks. For Z_p, entry [0, 0] is the
    mean, [k, 0] and [0, k] are the linear terms of k, and [k, k] its quadratic terms. The total is the squared norm.
    """
    blocks = blocks or cyclic(n)
    return blocks.summed(blocks.summed(spectrum_2d(values, n, blocks).square_()), 1)
