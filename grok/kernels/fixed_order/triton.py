"""``reference`` on a GPU; float32. All products of a list, which depend on no other of the list, are one launch.

The list becomes tables in the device's memory once: places, strides and sizes. So the tensors must stay where they are,
as they must for a CUDA graph, and one compiled kernel serves all lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from grok.kernels.dot import dot
from grok.kernels.fixed_order.plan import Plan, place_of, readable
from grok.kernels.fixed_order.reference import Product

# The tiles that products are cut into. DEPTH is what a tile multiplies at once. There is one size, as tensor units add
# up what is DEPTH deep before the rest: with another size for a batch a run would not have the bits that it has alone.
TILE: dict[str, Any] = {"ROWS": 64, "COLS": 32, "DEPTH": 32, "num_warps": 4}
MOST = 8  # as many times DEPTH a program adds up: what follows waits for the deepest product
BLOCK = 1024  # numbers of a product in parts that a program adds up


@triton.jit
def _term(term, seed):
    """Place and stride of a term's factors, and its depth. Strides are below 2^31, places are not."""
    a = tl.load(term) + seed * tl.load(term + 1)
    b = tl.load(term + 3) + seed * tl.load(term + 4)
    return a, tl.load(term + 2).to(tl.int32), b, tl.load(term + 5).to(tl.int32), tl.load(term + 6).to(tl.int32)


@triton.jit
def _tile(memory, first, i, j, stride, rows, columns, ACROSS: tl.constexpr, ALIGNED: tl.constexpr):
    """Numbers [i, j] of a matrix that begins at ``first``, zero outside. Those of a row are adjacent in memory, or
    ``ACROSS`` of a column.

    ``ALIGNED``: see ``VECTOR``; then the adjacent numbers are also a multiple of so many.
    """
    if ALIGNED:  # says so to the compiler, which takes no hint for a number that changes in a loop
        first, stride = first // 4 * 4, stride // 4 * 4
        if ACROSS:
            rows = rows // 4 * 4
        else:
            columns = columns // 4 * 4
    x = memory + first
    if ACROSS:
        place = x + (j[:, None] * stride + i[None, :])
        found = tl.trans(tl.load(place, mask=(j < columns)[:, None] & (i < rows)[None, :], other=0.0))
    else:
        place = x + (i[:, None] * stride + j[None, :])
        found = tl.load(place, mask=(i < rows)[:, None] & (j < columns)[None, :], other=0.0)
    return found


@triton.jit
def _sum(
    memory, tile, terms, seed, i, j, N, M, A_ACROSS: tl.constexpr, B_ACROSS: tl.constexpr, ALIGNED: tl.constexpr,
    PRECISION: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Σ a b over the terms of a tile, at the rows i and the columns j.

    While one term's factors are multiplied, the next one's are on their way, and the place of those after them. There
    is nothing to read behind the last term: its depth is 0.
    """
    k = tl.arange(0, DEPTH)
    acc = tl.zeros((ROWS, COLS), tl.float32)
    a, a_stride, b, b_stride, K = _term(tile + 12, seed)
    term, last = tl.load(tile + 8), tl.load(tile + 9)
    x = _tile(memory, a, i, k, a_stride, N, K, A_ACROSS, ALIGNED)
    y = _tile(memory, b, k, j, b_stride, K, M, B_ACROSS, ALIGNED)
    a, a_stride, b, b_stride, K = _term(terms + tl.minimum(term + 1, last) * 7, seed)
    K = tl.where(term < last, K, 0)
    while term <= last:
        next_x = _tile(memory, a, i, k, a_stride, N, K, A_ACROSS, ALIGNED)
        next_y = _tile(memory, b, k, j, b_stride, K, M, B_ACROSS, ALIGNED)
        a, a_stride, b, b_stride, K = _term(terms + tl.minimum(term + 2, last) * 7, seed)
        K = tl.where(term + 1 < last, K, 0)
        acc = dot(x, y, acc, PRECISION)
        x, y = next_x, next_y
        term += 1
    return acc


@triton.jit
def _multiply(
    memory, tiles, terms, PRECISION: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """One tile of one product of one seed. Tables: see ``Products``."""
    tile = tiles + tl.program_id(0) * 19
    seed = tl.program_id(1).to(tl.int64)
    scale = tl.load(memory + tl.load(tile))
    i = tl.multiple_of(tl.load(tile + 1).to(tl.int32), 16) + tl.arange(0, ROWS)
    j = tl.multiple_of(tl.load(tile + 2).to(tl.int32), 16) + tl.arange(0, COLS)
    stride, N, M = tl.load(tile + 5).to(tl.int32), tl.load(tile + 6).to(tl.int32), tl.load(tile + 7).to(tl.int32)
    way = tl.load(tile + 10)
    # A loop for each way: one loop that asks at every term waits for what it reads.
    if way == 0:
        acc = _sum(memory, tile, terms, seed, i, j, N, M, False, False, False, PRECISION, ROWS, COLS, DEPTH)
    elif way == 1:
        acc = _sum(memory, tile, terms, seed, i, j, N, M, True, False, False, PRECISION, ROWS, COLS, DEPTH)
    elif way == 2:
        acc = _sum(memory, tile, terms, seed, i, j, N, M, False, True, False, PRECISION, ROWS, COLS, DEPTH)
    elif way == 3:
        acc = _sum(memory, tile, terms, seed, i, j, N, M, False, False, True, PRECISION, ROWS, COLS, DEPTH)
    elif way == 4:
        acc = _sum(memory, tile, terms, seed, i, j, N, M, True, False, True, PRECISION, ROWS, COLS, DEPTH)
    else:
        acc = _sum(memory, tile, terms, seed, i, j, N, M, False, True, True, PRECISION, ROWS, COLS, DEPTH)
    acc *= scale
    place = memory + tl.load(tile + 3) + seed * tl.load(tile + 4)
    if tl.load(tile + 11) == 0:
        tl.store(place + (i[:, None] * stride + j[None, :]), acc, mask=(i < N)[:, None] & (j < M)[None, :])
    else:
        tl.store(place + (j[:, None] * stride + i[None, :]), tl.trans(acc), mask=(j < M)[:, None] & (i < N)[None, :])


@triton.jit
def _add_parts(memory, blocks, PARTS: tl.constexpr, BLOCK: tl.constexpr):
    """Some numbers of a product that was made in parts: the parts in their order."""
    block = blocks + tl.program_id(0) * 8
    seed = tl.program_id(1).to(tl.int64)
    parts, size, columns = tl.load(block + 1), tl.load(block + 2).to(tl.int32), tl.load(block + 3).to(tl.int32)
    i = tl.load(block).to(tl.int32) + tl.arange(0, BLOCK)
    place = memory + tl.load(block + 4) + seed * parts * size + i
    acc = tl.zeros((BLOCK,), tl.float32)
    for part in range(0, PARTS):
        acc += tl.load(place + part * size, mask=i < tl.where(part < parts, size, 0), other=0.0)
    place = memory + tl.load(block + 5) + seed * tl.load(block + 6)
    tl.store(place + (i // columns) * tl.load(block + 7).to(tl.int32) + i % columns, acc, mask=i < size)


class Products:
    """A list of products with the same S, as ``reference.multiply`` computes them, ready to be launched many times.

    A product that is deeper than ``MOST`` terms is made in parts beside each other, which a second launch adds up.

    Tables. ``memory``: the scale of each product. Places are counted from it, since the compiler learns from a pointer,
    and not from an address, what is aligned. ``terms``: of each term place, stride of seeds and the other stride of a,
    the same of b, k. ``tiles``: of each tile the product, first row and column, place, stride of seeds and other stride
    of the output, n, m, first and last term, way, whether columns are adjacent in memory, and the first term's row, so
    that a program has all that it needs to begin. ``blocks``: of each block of numbers to be added up the first number,
    how many parts, how many numbers, columns, place of the parts, and place and strides of the output.

    Raises ValueError if a product cannot be computed (``Plan.of``).
    """

    def __init__(self, products: Sequence[Product], precision: str = "ieee"):
        self.products = tuple(products)  # keeps the tensors
        plans = [Plan.of(product) for product in self.products]
        n_seeds, device = self.products[0].out.shape[0], self.products[0].out.device
        memory = torch.tensor([p.scale for p in self.products], dtype=torch.float32).to(device)
        tiles: list[tuple[int, ...]] = []
        terms: list[tuple[int, ...]] = []
        blocks: list[tuple[int, ...]] = []
        self.in_parts: list[tuple[Tensor, Tensor]] = []  # an output, and memory for its parts
        for which, (product, plan) in enumerate(zip(self.products, plans, strict=True)):
            cut, start = plan.cut(memory, TILE["DEPTH"]), len(terms)
            terms += cut
            n_parts = 1 if product.whole else -(-len(cut) // MOST)
            ends = [start + len(cut) * i // n_parts for i in range(n_parts + 1)]
            outs = [plan.out]
            across = not readable(plan.out, False)
            if n_parts > 1:
                n, m = plan.out.shape[1:]
                shape = (m, n) if across else (n, m)
                parts = plan.out.new_empty(n_seeds, n_parts, *shape)
                self.in_parts.append((plan.out, parts))
                outs = [part.mT if across else part for part in parts.unbind(1)]
                block = (n_parts, n * m, shape[1], place_of(parts, False, memory)[0])
                blocks += [(i, *block, *place_of(plan.out, across, memory)) for i in range(0, n * m, BLOCK)]
            for out, first, end in zip(outs, ends[:-1], ends[1:], strict=True):
                row = (*place_of(out, across, memory), *out.shape[1:], first, end - 1, plan.way, across, *terms[first])
                tiles += [(which, *tile, *row) for tile in plan.tiles(TILE["ROWS"], TILE["COLS"])]

        def table(rows: list[tuple[int, ...]]) -> Tensor:
            return torch.tensor(rows, dtype=torch.int64).to(device)

        self.grid, self.tables = (len(tiles), n_seeds), (memory, table(tiles), table(terms))
        self.fixed: dict[str, Any] = {"PRECISION": precision, **TILE}
        self.adding = (len(blocks), n_seeds), (memory, table(blocks)), max((b[1] for b in blocks), default=0)

    def __call__(self) -> None:
        self.multiply()
        self.add()

    def multiply(self) -> None:
        """All but those that are made in parts: these are there after ``add``."""
        _multiply[self.grid](*self.tables, **self.fixed)

    def add(self) -> None:
        grid, tables, most = self.adding
        if most:
            _add_parts[grid](*tables, PARTS=most, BLOCK=BLOCK)
