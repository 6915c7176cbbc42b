"""``reference`` on a GPU, forward and backward, for many seeds; float32, no atomics.

The gradient of a table row is a sum over the pairs that use the row. ``Segments`` lists those pairs row by row, once
for a split, so one program adds one row's gradient in a fixed order: the same bits every time.

A pair's three weights sum to one and its three score gradients to zero. The ``=`` row, which every pair uses, therefore
needs no pass of its own: its gradients are the total minus those of the other rows (``equals_row``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from grok.kernels.fixed_order.reference import Product

ROWS = 16  # pairs of a table row that a program reads at once


@dataclass(frozen=True, eq=False)
class Segments:
    """The pairs of each seed, and row by row the pairs that use a row; int32. Rows are a, then p + b.

    pairs: [S, N, 2]; order: [S, 2N], pair numbers sorted by row; offsets: [S, 2p + 1], where each row's pairs begin;
    longest: the most pairs of a row, rounded up to ``ROWS``, so that many splits share one compiled kernel.
    """

    pairs: Tensor
    order: Tensor
    offsets: Tensor
    longest: int

    @classmethod
    def of(cls, pairs: Tensor, p: int) -> Segments:
        """From pairs [S, N, 2] of tokens below p, on any device."""
        n_seeds, n = pairs.shape[:2]
        rows = torch.cat([pairs[..., 0], p + pairs[..., 1]], dim=1)  # [S, 2N]
        order = rows.argsort(dim=1, stable=True) % n
        counts = torch.zeros(n_seeds, 2 * p, dtype=torch.int64, device=pairs.device)
        counts.scatter_add_(1, rows.long(), torch.ones_like(rows, dtype=torch.int64))
        offsets = torch.nn.functional.pad(counts.cumsum(1), (1, 0))
        longest = triton.cdiv(int(counts.max()), ROWS) * ROWS
        return cls(pairs.int().contiguous(), order.int().contiguous(), offsets.int().contiguous(), longest)

    @property
    def p(self) -> int:
        return (self.offsets.shape[1] - 1) // 2


@triton.jit
def _attend(scores, pairs, weights, N, P, H: tl.constexpr, ROWS: tl.constexpr):
    """weights[n, j, h]: softmax over j of the scores of a, P + b and ``=``."""
    seed = tl.program_id(1).to(tl.int64)
    i = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    n, h = i // H, i % H
    real = n < N
    a = tl.load(pairs + (seed * N + n) * 2, mask=real, other=0)
    b = tl.load(pairs + (seed * N + n) * 2 + 1, mask=real, other=0) + P
    table = scores + seed * (2 * P + 1) * H + h
    s0, s1, s2 = tl.load(table + a * H), tl.load(table + b * H), tl.load(table + 2 * P * H)
    top = tl.maximum(tl.maximum(s0, s1), s2)
    e0, e1, e2 = tl.exp(s0 - top), tl.exp(s1 - top), tl.exp(s2 - top)
    total = e0 + e1 + e2
    place = weights + (seed * N + n) * 3 * H + h
    tl.store(place, e0 / total, mask=real)
    tl.store(place + H, e1 / total, mask=real)
    tl.store(place + 2 * H, e2 / total, mask=real)


@triton.jit
def _mix(
    weights, values, constant, pairs, mixed, N, P, D, SECOND,
    SCORED: tl.constexpr, H: tl.constexpr, MANY: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """mixed[n] = Σ_h Σ_j w[n, j, h] · values[h, row_j] + constant, for MANY pairs.

    Without weights the plain sum of the rows a and SECOND + b. A program makes few columns of many pairs, so that the
    table's columns stay in the cache of its multiprocessor.
    """
    seed = tl.program_id(2).to(tl.int64)
    d = tl.program_id(1) * COLS + tl.arange(0, COLS)
    for start in range(0, MANY, ROWS):
        n = tl.program_id(0) * MANY + start + tl.arange(0, ROWS)
        real = (n < N)[:, None] & (d < D)[None, :]
        a = tl.load(pairs + (seed * N + n) * 2, mask=n < N, other=0)
        b = tl.load(pairs + (seed * N + n) * 2 + 1, mask=n < N, other=0) + SECOND
        acc = tl.zeros((ROWS, COLS), tl.float32)
        if SCORED:
            acc += tl.load(constant + seed * D + d, mask=d < D, other=0.0)[None, :]
            for h in tl.static_range(H):
                place = weights + (seed * N + n) * 3 * H + h
                w0 = tl.load(place, mask=n < N, other=0.0)
                w1 = tl.load(place + H, mask=n < N, other=0.0)
                w2 = tl.load(place + 2 * H, mask=n < N, other=0.0)
                table = values + (seed * H + h) * (2 * P + 1) * D
                acc += w0[:, None] * tl.load(table + a[:, None] * D + d, mask=real, other=0.0)
                acc += w1[:, None] * tl.load(table + b[:, None] * D + d, mask=real, other=0.0)
                acc += w2[:, None] * tl.load(table + 2 * P * D + d, mask=d < D, other=0.0)[None, :]
        else:
            table = values + seed * (SECOND + P) * D
            acc += tl.load(table + a[:, None] * D + d, mask=real, other=0.0)
            acc += tl.load(table + b[:, None] * D + d, mask=real, other=0.0)
        tl.store(mixed + (seed * N + n)[:, None] * D + d, acc, mask=real)


@triton.jit
def _score_grads(
    grad, values, weights, pairs, dscores, N, P, D: tl.constexpr,
    H: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """Gradient of each pair's own three scores: [S, N, 3, H]. From the second head on ``grad`` is in a cache."""
    seed = tl.program_id(1).to(tl.int64)
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    real = n < N
    a = tl.load(pairs + (seed * N + n) * 2, mask=real, other=0)
    b = tl.load(pairs + (seed * N + n) * 2 + 1, mask=real, other=0) + P
    for h in range(0, H):
        table = values + (seed * H + h) * (2 * P + 1) * D
        of_a = tl.zeros((ROWS, COLS), tl.float32)
        of_b = tl.zeros((ROWS, COLS), tl.float32)
        of_equals = tl.zeros((ROWS, COLS), tl.float32)
        for start in range(0, D, COLS):
            d = start + tl.arange(0, COLS)
            both = real[:, None] & (d < D)[None, :]
            g = tl.load(grad + (seed * N + n)[:, None] * D + d, mask=both, other=0.0)
            of_a += g * tl.load(table + a[:, None] * D + d, mask=both, other=0.0)
            of_b += g * tl.load(table + b[:, None] * D + d, mask=both, other=0.0)
            of_equals += g * tl.load(table + 2 * P * D + d, mask=d < D, other=0.0)[None, :]
        g0, g1, g2 = tl.sum(of_a, axis=1), tl.sum(of_b, axis=1), tl.sum(of_equals, axis=1)
        place = (seed * N + n) * 3 * H + h
        w0 = tl.load(weights + place, mask=real, other=0.0)
        w1 = tl.load(weights + place + H, mask=real, other=0.0)
        w2 = tl.load(weights + place + 2 * H, mask=real, other=0.0)
        mean = w0 * g0 + w1 * g1 + w2 * g2
        tl.store(dscores + place, w0 * (g0 - mean), mask=real)
        tl.store(dscores + place + H, w1 * (g1 - mean), mask=real)
        tl.store(dscores + place + 2 * H, w2 * (g2 - mean), mask=real)


@triton.jit
def _row_sums(
    grad, weights, pair_dscores, order, offsets, dvalues, dscores, totals, N, P, D,
    out_seed, out_head, out_row, out_column,
    LONGEST: tl.constexpr, SCORED: tl.constexpr, H: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """Gradients of one table row: its pairs' gradients, weighted for each head, in the order of ``order``.

    Also the plain sum for a row of a. Without scores a and b share a table, so there are two lists of pairs. Every row
    of a block of pairs is added up on its own, and the rows at the end. From the second head on ``grad`` is in a cache.
    """
    row = tl.program_id(0)
    seed = tl.program_id(2).to(tl.int64)
    d = tl.program_id(1) * COLS + tl.arange(0, COLS)
    which = tl.where(row < P, 0, 1)
    plain = tl.zeros((ROWS, COLS), tl.float32)
    for head in range(0, H):
        acc = tl.zeros((ROWS, COLS), tl.float32)
        score = tl.zeros((ROWS,), tl.float32)
        for half in tl.static_range(1 if SCORED else 2):
            bounds = offsets + seed * (2 * P + 1) + half * P + row
            first, stop = tl.load(bounds), tl.load(bounds + 1)
            for start in range(0, LONGEST, ROWS):
                i = first + start + tl.arange(0, ROWS)
                n = tl.load(order + seed * 2 * N + i, mask=i < stop, other=0)
                g = tl.load(grad + (seed * N + n)[:, None] * D + d, mask=(i < stop)[:, None] & (d < D), other=0.0)
                if SCORED:
                    if head == 0:
                        plain += g
                    place = (seed * N + n) * 3 * H + which * H + head
                    g = g * tl.load(weights + place, mask=i < stop, other=0.0)[:, None]
                    score += tl.load(pair_dscores + place, mask=i < stop, other=0.0)
                acc += g
        place = dvalues + seed * out_seed + head * out_head + row * out_row + d * out_column
        tl.store(place, tl.sum(acc, axis=0), mask=d < D)
        if SCORED:  # every column block has the same sum: the same bits, written more than once
            tl.store(dscores + (seed * (2 * P + 1) + row) * H + head, tl.sum(score, axis=0))
    if SCORED and row < P:
        tl.store(totals + (seed * P + row) * D + d, tl.sum(plain, axis=0), mask=d < D)


def _mix_tile(n_seeds: int) -> dict[str, Any]:
    """Of few seeds a program makes fewer pairs, or there would be too few programs."""
    return {"MANY": 1024 if n_seeds >= 8 else 128, "ROWS": 64, "COLS": 32, "num_warps": 8}


def token_mix(
    scores: Tensor, values: Tensor, constant: Tensor, segments: Segments, *, mixed: Tensor, weights: Tensor
) -> None:
    """As ``reference.token_mix``, to ``mixed``, and the pairs' weights to ``weights`` [S, N, 3, h]. All contiguous."""
    (n_seeds, h, _, d), n, p = values.shape, segments.pairs.shape[1], segments.p
    _attend[(triton.cdiv(n * h, 128), n_seeds)](scores, segments.pairs, weights, n, p, H=h, ROWS=128)
    tile = _mix_tile(n_seeds)
    _mix[(triton.cdiv(n, tile["MANY"]), triton.cdiv(d, tile["COLS"]), n_seeds)](
        weights, values, constant, segments.pairs, mixed, n, p, d, p, SCORED=True, H=h, **tile
    )


def token_mix_backward(
    grad: Tensor,
    values: Tensor,
    weights: Tensor,
    segments: Segments,
    *,
    dscores: Tensor,
    dvalues: Tensor,
    totals: Tensor,
    pair_dscores: Tensor,
) -> None:
    """grad [S, N, D] by ``mixed`` → gradients of scores [S, 2p+1, h] and of values [S, h, 2p+1, D].

    Their last row is that of ``equals_row``, from ``totals`` [S, p, D]: for each a the sum of its pairs' grad.
    pair_dscores: memory like ``weights``. All contiguous.
    """
    (n_seeds, h, _, d), n, p = values.shape, segments.pairs.shape[1], segments.p
    _score_grads[(triton.cdiv(n, 8), n_seeds)](
        grad, values, weights, segments.pairs, pair_dscores, n, p, d, H=h, ROWS=8, COLS=128
    )
    _row_sums[(2 * p, triton.cdiv(d, 128), n_seeds)](
        grad, weights, pair_dscores, segments.order, segments.offsets, dvalues, dscores, totals, n, p, d,
        *dvalues.stride(), LONGEST=segments.longest, SCORED=True, H=h, ROWS=ROWS, COLS=128, num_warps=2,
    )  # fmt: skip


def equals_row(dscores: Tensor, dvalues: Tensor, totals: Tensor, dconstant: Tensor) -> list[Product]:
    """What remains after ``token_mix_backward``: the last row of dscores and dvalues, and ``dconstant`` [S, 1, D]."""
    rows = dscores.shape[1] - 1
    ones = torch.ones_like(dscores[:, :1, :1]).repeat(1, 1, rows)  # a product reads numbers that are adjacent
    minus, plus = -ones, ones[..., : totals.shape[1]]
    heads = dvalues.unbind(1)
    return [
        Product(dconstant, ((plus, totals),)),
        Product(dscores[:, -1:], ((minus, dscores[:, :-1]),)),
        *(Product(head[:, -1:], ((plus, totals), (minus, head[:, :-1]))) for head in heads),
    ]


def gather_pairs(table: Tensor, segments: Segments, *, mixed: Tensor) -> None:
    """table[a] + table[b]: [S, p, D] → ``mixed`` [S, N, D] (the MLP's way to read its tokens). All contiguous."""
    (n_seeds, p, d), n, tile = table.shape, segments.pairs.shape[1], _mix_tile(table.shape[0])
    _mix[(triton.cdiv(n, tile["MANY"]), triton.cdiv(d, tile["COLS"]), n_seeds)](
        table, table, table, segments.pairs, mixed, n, p, d, 0, SCORED=False, H=1, **tile
    )


def gather_pairs_backward(grad: Tensor, segments: Segments, *, dtable: Tensor) -> None:
    """[S, N, D], contiguous → gradient of the table, ``dtable`` [S, p, D]."""
    (n_seeds, n, d), p, (seed, row, column) = grad.shape, segments.p, dtable.stride()
    _row_sums[(p, triton.cdiv(d, 128), n_seeds)](
        grad, grad, grad, segments.order, segments.offsets, dtable, grad, grad, n, p, d, seed, 0, row, column,
        LONGEST=segments.longest, SCORED=False, H=1, ROWS=ROWS, COLS=128, num_warps=2,
    )  # fmt: skip
