"""``reference`` on a GPU; float32. All products of a list, which depend on no other of the list, are one launch.

The list becomes a table in the device's memory once: addresses, strides and sizes. So the tensors must stay where they
are, as they must for a CUDA graph, and one compiled kernel serves all lists.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from grok.kernels.fixed_order.reference import Product

COLS, DEPTH = 32, 16  # columns of a tile, and what it multiplies at once
TALL, SHORT = 64, 32  # rows of a tile
MANY = 264  # tall tiles are for lists of so many: two for each multiprocessor of a large GPU


@triton.jit
def _place_of(term, seed):
    """The addresses and strides of a term's factors, and its depth. Strides are below 2^31, addresses are not."""
    a = tl.load(term) + seed * tl.load(term + 1) * 4
    b = tl.load(term + 4) + seed * tl.load(term + 5) * 4
    a_row, a_column = tl.load(term + 2).to(tl.int32), tl.load(term + 3).to(tl.int32)
    b_row, b_column = tl.load(term + 6).to(tl.int32), tl.load(term + 7).to(tl.int32)
    return a, a_row, a_column, b, b_row, b_column, tl.load(term + 8).to(tl.int32)


@triton.jit
def _tile(address, first, row, column, rows, columns, ROWS: tl.constexpr, COLS: tl.constexpr, FIRST_ROW: tl.constexpr):
    """Rows or columns of a matrix from ``first`` on: [ROWS, COLS], zero outside. Threads side by side read so, too."""
    x = address.to(tl.pointer_type(tl.float32))
    i, j = tl.arange(0, ROWS), tl.arange(0, COLS)
    if FIRST_ROW:
        i = first + i
    else:
        j = first + j
    if column == 1:
        found = tl.load(
            x + (i[:, None] * row + j[None, :]), mask=(i < rows)[:, None] & (j < columns)[None, :], other=0.0
        )
    else:
        across = x + (j[:, None] * column + i[None, :] * row)
        found = tl.trans(tl.load(across, mask=(j < columns)[:, None] & (i < rows)[None, :], other=0.0))
    return found


@triton.jit
def _multiply(
    tiles, outs, terms, scales, PRECISION: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """One tile of one product of one seed. Tables: see ``Products``."""
    tile = tiles + tl.program_id(0) * 3
    seed = tl.program_id(1).to(tl.int64)
    which, n, m = tl.load(tile), tl.load(tile + 1), tl.load(tile + 2)
    out = outs + which * 8
    N, M = tl.load(out + 4).to(tl.int32), tl.load(out + 5).to(tl.int32)
    term, last = tl.load(out + 6), tl.load(out + 7) - 1
    acc = tl.zeros((ROWS, COLS), tl.float32)
    # While one term's factors are multiplied, the next one's are on their way, and the place of those after them.
    # Behind the last term it is read again.
    a, a_row, a_column, b, b_row, b_column, K = _place_of(terms + term * 9, seed)
    x = _tile(a, n, a_row, a_column, N, K, ROWS, DEPTH, True)
    y = _tile(b, m, b_row, b_column, K, M, DEPTH, COLS, False)
    a, a_row, a_column, b, b_row, b_column, K = _place_of(terms + tl.minimum(term + 1, last) * 9, seed)
    while term <= last:
        next_x = _tile(a, n, a_row, a_column, N, K, ROWS, DEPTH, True)
        next_y = _tile(b, m, b_row, b_column, K, M, DEPTH, COLS, False)
        a, a_row, a_column, b, b_row, b_column, K = _place_of(terms + tl.minimum(term + 2, last) * 9, seed)
        acc = tl.dot(x, y, acc, input_precision=PRECISION)
        x, y = next_x, next_y
        term += 1
    rows, columns = (n + tl.arange(0, ROWS))[:, None], (m + tl.arange(0, COLS))[None, :]
    place = tl.load(out).to(tl.pointer_type(tl.float32)) + seed * tl.load(out + 1)
    place += rows * tl.load(out + 2) + columns * tl.load(out + 3)
    tl.store(place, acc * tl.load(scales + which), mask=(rows < N) & (columns < M))


class Products:
    """A list of products with the same S, as ``reference.multiply`` computes them, ready to be launched many times.

    Tables, one row each: ``tiles``: product, first row, first column; ``outs``: address, strides of seed, row and
    column, n, m, first term, end of the terms; ``terms``: address and strides of a, the same of b, k. Every number of
    the output adds its products one after another, whatever the size of a tile.
    """

    def __init__(self, products: Sequence[Product], precision: str = "ieee"):
        self.products = tuple(products)  # keeps the tensors
        outs: list[tuple[int, ...]] = []
        terms: list[tuple[int, ...]] = []
        for which, product in enumerate(self.products):
            (n_seeds, n, m), first = product.out.shape, len(terms)
            turned = n < m and n <= COLS  # a tile is tall: then outᵀ = Σ bᵀ aᵀ
            for a, b in product.terms:
                k = a.shape[2]
                if (a.shape, b.shape) != ((n_seeds, n, k), (n_seeds, k, m)):
                    raise ValueError(f"product {which}: {list(a.shape)} times {list(b.shape)} is not {[n_seeds, n, m]}")
                left, right = (b.mT, a.mT) if turned else (a, b)
                for start in range(0, k, DEPTH):  # a deeper term is several
                    part = slice(start, start + DEPTH)
                    terms.append((*_place(left[..., part]), *_place(right[:, part]), min(DEPTH, k - start)))
            out = product.out.mT if turned else product.out
            n, m = out.shape[1:]
            outs.append((*_place(out), n, m, first, len(terms)))
        n_seeds, device = self.products[0].out.shape[0], self.products[0].out.device
        rows = TALL if len(_tiles(outs, TALL)) * n_seeds >= MANY else SHORT
        tiles = _tiles(outs, rows)
        self.grid = (len(tiles), n_seeds)
        self.tables = (
            torch.tensor(tiles, dtype=torch.int32).to(device),
            torch.tensor(outs, dtype=torch.int64).to(device),
            torch.tensor(terms, dtype=torch.int64).to(device),
            torch.tensor([p.scale for p in self.products], dtype=torch.float32).to(device),
        )
        self.fixed = {"PRECISION": precision, "ROWS": rows, "COLS": COLS, "DEPTH": DEPTH}

    def __call__(self) -> None:
        _multiply[self.grid](*self.tables, **self.fixed)


def _tiles(outs: list[tuple[int, ...]], rows: int) -> list[tuple[int, int, int]]:
    """Product, first row and first column of each tile."""
    return [
        (which, i, j)
        for which, (*_, n, m, _, _) in enumerate(outs)
        for i in range(0, n, rows)
        for j in range(0, m, COLS)
    ]


def _place(x: Tensor) -> tuple[int, ...]:
    """Address, strides of seed, row and column."""
    if x.dtype != torch.float32:
        raise ValueError(f"float32 expected, got {x.dtype}")
    return (x.data_ptr(), *x.stride())
