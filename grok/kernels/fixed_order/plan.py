"""In which form the kernel multiplies: as it is or turned, and how it reads the factors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from grok.kernels.fixed_order.reference import Product

FLAT = 32  # rows: a product with so few that is wider is turned, since tiles are higher than wide
# Which factors are read across, a column after another: the ways that ``_multiply`` knows. In float32 units the last
# one is slow, as the threads of a warp then read the same bank of shared memory.
WAYS = ((False, False), (True, False), (False, True))
VECTOR = 4  # numbers that a thread reads at once, where every row, or column, begins at a multiple of so many


@dataclass(frozen=True, eq=False)
class Plan:
    """A product as it is computed: as it is, or turned, outᵀ = Σ bᵀ aᵀ."""

    out: Tensor
    terms: tuple[tuple[Tensor, Tensor], ...]
    across: tuple[bool, bool]  # of ``WAYS``

    @classmethod
    def of(cls, product: Product) -> Plan:
        """Raises ValueError for sizes that do not fit, another type than float32, and what no way can read or write."""
        n_seeds, n, m = product.out.shape
        for a, b in product.terms:
            k = a.shape[2]
            if (a.shape, b.shape) != ((n_seeds, n, k), (n_seeds, k, m)):
                raise ValueError(f"{list(a.shape)} times {list(b.shape)} is not {[n_seeds, n, m]}")
        if any(x.dtype != torch.float32 for x in (product.out, *sum(product.terms, ()))):
            raise ValueError("float32 expected")
        if not any(readable(product.out, across) for across in (False, True)):
            raise ValueError("neither the rows nor the columns of a product are adjacent in memory")
        turned = tuple((b.mT, a.mT) for a, b in product.terms)
        forms = [(product.out, product.terms), (product.out.mT, turned)]
        if n < m and n <= FLAT:  # tiles are tall
            forms.reverse()
        for ways in (WAYS[:2], WAYS[2:]):
            for out, terms in forms:
                for way in ways:
                    if all(readable(x, across) for pair in terms for x, across in zip(pair, way, strict=True)):
                        return cls(out, terms, way)
        raise ValueError("neither the rows nor the columns of a factor are adjacent in memory in all terms")

    @property
    def way(self) -> int:
        """Which branch of ``_multiply`` it takes."""
        aligned = all(_aligned(x, across) for pair in self.terms for x, across in zip(pair, self.across, strict=True))
        return WAYS.index(self.across) + aligned * len(WAYS)

    def tiles(self, rows: int, columns: int) -> list[tuple[int, int]]:
        """First row and first column of each tile."""
        n, m = self.out.shape[1:]
        return [(i, j) for i in range(0, n, rows) for j in range(0, m, columns)]

    def cut(self, memory: Tensor, depth: int) -> list[tuple[int, ...]]:
        """Rows of the table of terms: a term that is deeper than ``depth`` is several."""
        a_across, b_across = self.across
        return [
            (
                *place_of(a[..., k : k + depth], a_across, memory),
                *place_of(b[:, k : k + depth], b_across, memory),
                min(depth, b.shape[1] - k),
            )
            for a, b in self.terms
            for k in range(0, b.shape[1], depth)
        ]


def readable(x: Tensor, across: bool) -> bool:
    """Are the numbers of a row adjacent, or of a column?"""
    along = 1 if across else 2
    return x.stride(along) == 1 or x.shape[along] == 1


def _aligned(x: Tensor, across: bool) -> bool:
    """Can a thread read ``VECTOR`` numbers at once?"""
    along, other = (1, 2) if across else (2, 1)
    return x.data_ptr() % (4 * VECTOR) == 0 and all(
        n % VECTOR == 0 for n in (x.stride(0), x.stride(other), x.shape[along])
    )


def place_of(x: Tensor, across: bool, memory: Tensor) -> tuple[int, ...]:
    """Where it begins, in numbers behind ``memory``, stride of seeds, and stride of what is not adjacent."""
    return (x.data_ptr() - memory.data_ptr()) // 4, x.stride(0), x.stride(2 if across else 1)
