"""``reference`` on a GPU; float32. All products of a list, which depend on no other of the list, are one launch.

The list becomes a table in the device's memory once: addresses, strides and sizes. So the tensors must stay where they
are, as they must for a CUDA graph, and one compiled kernel serves all lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from grok.kernels.fixed_order.reference import Product

COLS = 32  # of a tile
MANY = 264  # tall tiles are for lists of so many: two for each multiprocessor of a large GPU
TALL = {"ROWS": 64, "DEPTH": 16, "num_warps": 4}  # DEPTH is what a tile multiplies at once
SHORT = {"ROWS": 32, "DEPTH": 32, "num_warps": 8}

# Which factors are read across, a column after another: the ways that ``_multiply`` knows. The last one is slow, as
# the threads of a warp then read the same bank of shared memory.
WAYS = ((False, False), (True, False), (False, True))


@triton.jit
def _place_of(term, seed):
    """Address and stride of a term's factors, and its depth. Strides are below 2^31, addresses are not."""
    a = tl.load(term) + seed * tl.load(term + 1) * 4
    b = tl.load(term + 3) + seed * tl.load(term + 4) * 4
    return a, tl.load(term + 2).to(tl.int32), b, tl.load(term + 5).to(tl.int32), tl.load(term + 6).to(tl.int32)


@triton.jit
def _tile(address, i, j, stride, rows, columns, ACROSS: tl.constexpr):
    """Numbers [i, j] of a matrix, zero outside. Those of a row are adjacent in memory, or ``ACROSS`` of a column."""
    x = address.to(tl.pointer_type(tl.float32))
    if ACROSS:
        place = x + (j[:, None] * stride + i[None, :])
        found = tl.trans(tl.load(place, mask=(j < columns)[:, None] & (i < rows)[None, :], other=0.0))
    else:
        place = x + (i[:, None] * stride + j[None, :])
        found = tl.load(place, mask=(i < rows)[:, None] & (j < columns)[None, :], other=0.0)
    return found


@triton.jit
def _sum(
    terms, term, last, seed, i, j, N, M, A_ACROSS: tl.constexpr, B_ACROSS: tl.constexpr,
    PRECISION: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Σ a b over the terms, at the rows i and the columns j.

    While one term's factors are multiplied, the next one's are on their way, and the place of those after them. There
    is nothing to read behind the last term: its depth is 0.
    """
    k = tl.arange(0, DEPTH)
    acc = tl.zeros((ROWS, COLS), tl.float32)
    a, a_stride, b, b_stride, K = _place_of(terms + term * 7, seed)
    x = _tile(a, i, k, a_stride, N, K, A_ACROSS)
    y = _tile(b, k, j, b_stride, K, M, B_ACROSS)
    a, a_stride, b, b_stride, K = _place_of(terms + tl.minimum(term + 1, last) * 7, seed)
    K = tl.where(term < last, K, 0)
    while term <= last:
        next_x = _tile(a, i, k, a_stride, N, K, A_ACROSS)
        next_y = _tile(b, k, j, b_stride, K, M, B_ACROSS)
        a, a_stride, b, b_stride, K = _place_of(terms + tl.minimum(term + 2, last) * 7, seed)
        K = tl.where(term + 1 < last, K, 0)
        acc = tl.dot(x, y, acc, input_precision=PRECISION)
        x, y = next_x, next_y
        term += 1
    return acc


@triton.jit
def _multiply(
    tiles, outs, terms, scales, PRECISION: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """One tile of one product of one seed. Tables: see ``Products``."""
    tile = tiles + tl.program_id(0) * 3
    seed = tl.program_id(1).to(tl.int64)
    which, n, m = tl.load(tile), tl.load(tile + 1), tl.load(tile + 2)
    out = outs + which * 9
    N, M = tl.load(out + 4).to(tl.int32), tl.load(out + 5).to(tl.int32)
    term, last, way = tl.load(out + 6), tl.load(out + 7) - 1, tl.load(out + 8)
    i, j = n + tl.arange(0, ROWS), m + tl.arange(0, COLS)
    # A loop for each way: one loop that asks at every term waits for what it reads.
    if way == 0:
        acc = _sum(terms, term, last, seed, i, j, N, M, False, False, PRECISION, ROWS, COLS, DEPTH)
    elif way == 1:
        acc = _sum(terms, term, last, seed, i, j, N, M, True, False, PRECISION, ROWS, COLS, DEPTH)
    else:
        acc = _sum(terms, term, last, seed, i, j, N, M, False, True, PRECISION, ROWS, COLS, DEPTH)
    place = tl.load(out).to(tl.pointer_type(tl.float32)) + seed * tl.load(out + 1)
    place += i[:, None] * tl.load(out + 2) + j[None, :] * tl.load(out + 3)
    tl.store(place, acc * tl.load(scales + which), mask=(i < N)[:, None] & (j < M)[None, :])


@dataclass(frozen=True, eq=False)
class _Plan:
    """A product as it is computed: as it is, or turned, outᵀ = Σ bᵀ aᵀ."""

    out: Tensor
    terms: tuple[tuple[Tensor, Tensor], ...]
    way: int  # of ``WAYS``

    @classmethod
    def of(cls, product: Product) -> _Plan:
        """Raises ValueError for sizes that do not fit, another type than float32, and factors that no way can read."""
        n_seeds, n, m = product.out.shape
        for a, b in product.terms:
            k = a.shape[2]
            if (a.shape, b.shape) != ((n_seeds, n, k), (n_seeds, k, m)):
                raise ValueError(f"{list(a.shape)} times {list(b.shape)} is not {[n_seeds, n, m]}")
        if any(x.dtype != torch.float32 for x in (product.out, *sum(product.terms, ()))):
            raise ValueError("float32 expected")
        turned = tuple((b.mT, a.mT) for a, b in product.terms)
        forms = [(product.out, product.terms), (product.out.mT, turned)]
        if n < m and n <= COLS:  # tiles are tall
            forms.reverse()
        for ways in (WAYS[:2], WAYS[2:]):
            for out, terms in forms:
                for way in ways:
                    if all(_readable(x, across) for pair in terms for x, across in zip(pair, way, strict=True)):
                        return cls(out, terms, WAYS.index(way))
        raise ValueError("neither the rows nor the columns of a factor are adjacent in memory in all terms")

    def tiles(self, rows: int) -> list[tuple[int, int]]:
        """First row and first column of each tile."""
        n, m = self.out.shape[1:]
        return [(i, j) for i in range(0, n, rows) for j in range(0, m, COLS)]

    def row(self, first: int, end: int) -> tuple[int, ...]:
        """Of ``Products.outs``, for the terms from ``first`` to ``end``."""
        return (self.out.data_ptr(), *self.out.stride(), *self.out.shape[1:], first, end, self.way)

    def parts(self, depth: int) -> list[tuple[int, ...]]:
        """Of ``Products.terms``: a term that is deeper than ``depth`` is several."""
        a_across, b_across = WAYS[self.way]
        return [
            (
                *_place(a[..., k : k + depth], a_across),
                *_place(b[:, k : k + depth], b_across),
                min(depth, b.shape[1] - k),
            )
            for a, b in self.terms
            for k in range(0, b.shape[1], depth)
        ]


def _readable(x: Tensor, across: bool) -> bool:
    """Are the numbers of a row adjacent, or of a column?"""
    along = 1 if across else 2
    return x.stride(along) == 1 or x.shape[along] == 1


def _place(x: Tensor, across: bool) -> tuple[int, ...]:
    """Address, stride of seeds, and stride of what is not adjacent."""
    return x.data_ptr(), x.stride(0), x.stride(2 if across else 1)


class Products:
    """A list of products with the same S, as ``reference.multiply`` computes them, ready to be launched many times.

    Tables, one row each: ``tiles``: product, first row, first column; ``outs``: address, strides of seed, row and
    column, n, m, first term, end of the terms, way; ``terms``: address, stride of seeds and the other stride of a, the
    same of b, k. With "ieee" every number of the output adds its products one after another, whatever the size of a
    tile. In tensor units those of a tile's depth are added first, so other precisions have tiles of one size: a batch,
    with more of them, gives the bits of a run alone.

    Raises ValueError if a product cannot be computed (``_Plan.of``).
    """

    def __init__(self, products: Sequence[Product], precision: str = "ieee"):
        self.products = tuple(products)  # keeps the tensors
        plans = [_Plan.of(product) for product in self.products]
        n_seeds, device = self.products[0].out.shape[0], self.products[0].out.device
        many = n_seeds * sum(len(plan.tiles(TALL["ROWS"])) for plan in plans) >= MANY
        size = TALL if many or precision != "ieee" else SHORT
        outs: list[tuple[int, ...]] = []
        terms: list[tuple[int, ...]] = []
        for plan in plans:
            first = len(terms)
            terms += plan.parts(size["DEPTH"])
            outs.append(plan.row(first, len(terms)))
        tiles = [(which, *tile) for which, plan in enumerate(plans) for tile in plan.tiles(size["ROWS"])]
        self.grid = (len(tiles), n_seeds)
        self.tables = (
            torch.tensor(tiles, dtype=torch.int32).to(device),
            torch.tensor(outs, dtype=torch.int64).to(device),
            torch.tensor(terms, dtype=torch.int64).to(device),
            torch.tensor([p.scale for p in self.products], dtype=torch.float32).to(device),
        )
        self.fixed: dict[str, Any] = {"PRECISION": precision, "COLS": COLS, **size}

    def __call__(self) -> None:
        _multiply[self.grid](*self.tables, **self.fixed)
