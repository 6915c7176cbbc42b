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

SIDE = 32  # rows and columns of a tile
DEPTH = 32  # what a tile multiplies at once, of each of its parts
PARTS = 4  # of the depth of a term; every part is added up on its own, and the parts at the end


@triton.jit
def _operands(
    term, seed, n, m, N, M, PARTS: tl.constexpr, SIDE: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """The tiles of both factors: [PARTS, SIDE, DEPTH], [PARTS, DEPTH, SIDE]. Strides are below 2^31, addresses not."""
    a = tl.load(term).to(tl.pointer_type(tl.float32)) + seed * tl.load(term + 1)
    b = tl.load(term + 4).to(tl.pointer_type(tl.float32)) + seed * tl.load(term + 5)
    a_row, a_column = tl.load(term + 2).to(tl.int32), tl.load(term + 3).to(tl.int32)
    b_row, b_column = tl.load(term + 6).to(tl.int32), tl.load(term + 7).to(tl.int32)
    K = tl.load(term + 8).to(tl.int32)
    part = tl.arange(0, PARTS)[:, None, None] * DEPTH
    left, right = part + tl.arange(0, DEPTH)[None, None, :], part + tl.arange(0, DEPTH)[None, :, None]
    x = tl.load(a + (n * a_row + left * a_column), mask=(n < N) & (left < K), other=0.0)
    y = tl.load(b + (right * b_row + m * b_column), mask=(right < K) & (m < M), other=0.0)
    return x, y


@triton.jit
def _multiply(
    tiles, outs, terms, scales, PRECISION: tl.constexpr, PARTS: tl.constexpr, SIDE: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """One tile of one product of one seed. Tables: see ``Products``."""
    tile = tiles + tl.program_id(0) * 3
    seed = tl.program_id(1).to(tl.int64)
    which = tl.load(tile)
    n = tl.load(tile + 1) + tl.arange(0, SIDE)[None, :, None]
    m = tl.load(tile + 2) + tl.arange(0, SIDE)[None, None, :]
    out = outs + which * 8
    N, M = tl.load(out + 4).to(tl.int32), tl.load(out + 5).to(tl.int32)
    term, stop = tl.load(out + 6), tl.load(out + 7)
    acc = tl.zeros((PARTS, SIDE, SIDE), tl.float32)
    x, y = _operands(terms + term * 9, seed, n, m, N, M, PARTS, SIDE, DEPTH)
    while term < stop:
        term += 1
        # the next term's factors are on their way while this one's are multiplied; behind the last it is read again
        following = terms + tl.minimum(term, stop - 1) * 9
        next_x, next_y = _operands(following, seed, n, m, N, M, PARTS, SIDE, DEPTH)
        acc += tl.dot(x, y, input_precision=PRECISION)
        x, y = next_x, next_y
    total = tl.sum(acc, axis=0)[None, :, :] * tl.load(scales + which)
    place = tl.load(out).to(tl.pointer_type(tl.float32)) + seed * tl.load(out + 1)
    tl.store(place + (n * tl.load(out + 2) + m * tl.load(out + 3)), total, mask=(n < N) & (m < M))


class Products:
    """A list of products with the same S, as ``reference.multiply`` computes them, ready to be launched many times.

    Tables, one row each: ``tiles``: product, first row, first column; ``outs``: address, strides of seed, row and
    column, n, m, first term, end of the terms; ``terms``: address and strides of a, the same of b, k.
    """

    def __init__(self, products: Sequence[Product], precision: str = "ieee"):
        self.products = tuple(products)  # keeps the tensors
        parts = PARTS if max(a.shape[2] for product in self.products for a, _ in product.terms) > DEPTH else 1
        tiles: list[tuple[int, int, int]] = []
        outs: list[tuple[int, ...]] = []
        terms: list[tuple[int, ...]] = []
        for which, product in enumerate(self.products):
            (n_seeds, n, m), first = product.out.shape, len(terms)
            for a, b in product.terms:
                k = a.shape[2]
                if (a.shape, b.shape) != ((n_seeds, n, k), (n_seeds, k, m)):
                    raise ValueError(f"product {which}: {list(a.shape)} times {list(b.shape)} is not {[n_seeds, n, m]}")
                for start in range(0, k, parts * DEPTH):  # a deeper term is several
                    left, right = a[..., start : start + parts * DEPTH], b[:, start : start + parts * DEPTH]
                    terms.append((*_place(left), *_place(right), left.shape[2]))
            outs.append((*_place(product.out), n, m, first, len(terms)))
            tiles += [(which, i, j) for i in range(0, n, SIDE) for j in range(0, m, SIDE)]
        device = self.products[0].out.device
        self.grid = (len(tiles), self.products[0].out.shape[0])
        self.tables = (
            torch.tensor(tiles, dtype=torch.int32).to(device),
            torch.tensor(outs, dtype=torch.int64).to(device),
            torch.tensor(terms, dtype=torch.int64).to(device),
            torch.tensor([p.scale for p in self.products], dtype=torch.float32).to(device),
        )
        sizes = {"PARTS": parts, "SIDE": SIDE, "DEPTH": DEPTH, "num_warps": 8 if parts > 1 else 4}
        self.fixed = {"PRECISION": precision, **sizes}

    def __call__(self) -> None:
        _multiply[self.grid](*self.tables, **self.fixed)


def _place(x: Tensor) -> tuple[int, ...]:
    """Address, strides of seed, row and column."""
    if x.dtype != torch.float32:
        raise ValueError(f"float32 expected, got {x.dtype}")
    return (x.data_ptr(), *x.stride())
