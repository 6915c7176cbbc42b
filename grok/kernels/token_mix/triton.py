"""``reference`` on a GPU, forward and backward, for many seeds; float32, no atomics.

The gradient of a table row is a sum over the pairs that use the row. ``Segments`` lists those pairs row by row, once
for a split, so a program adds up the gradients of a row, or of some, in a fixed order: the same bits every time.

Kernels hold all heads of a tile at once, [pairs, heads, columns], so that what heads share is read once. ``HEADS`` is
their number rounded up to a power of two; masks cut what is too much.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from grok.kernels.token_mix.segments import ROWS, Segments

MIX: dict[str, Any] = {"ROWS": 16, "COLS": 32, "num_warps": 2}
SCORES: dict[str, Any] = {"ROWS": 8, "COLS": 64, "num_warps": 2}
SUMS: dict[str, Any] = {"COLS": 128, "num_warps": 1}
SCORE_SUMS: dict[str, Any] = {"GROUP": 8, "ROWS": 64, "num_warps": 4}  # so many pairs that most rows need no loop


@triton.jit
def _mix(
    scores, values, constants, pairs, mixed, weights, N, P, D, SECOND, n_constants,
    SCORED: tl.constexpr, H: tl.constexpr, HEADS: tl.constexpr, CONSTANTS: tl.constexpr, ROWS: tl.constexpr,
    COLS: tl.constexpr,
):  # fmt: skip
    """mixed[n] = Σ_h (w₀ values[h, a] + w₁ values[h, SECOND + b]) + Σ constants; weights[n, j, h] = w_j.

    Without scores the plain sum of the rows a and SECOND + b. A program makes few columns, and those beside it the same
    ones of other pairs, so that the table's columns stay in the cache of a multiprocessor.
    """
    seed = tl.program_id(2).to(tl.int64)
    pairs += seed * N * 2
    mixed += seed * N * D
    weights += seed * N * 2 * H
    d = tl.program_id(1) * COLS + tl.arange(0, COLS)
    h = tl.arange(0, HEADS)[None, :]
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    real = (n < N)[:, None] & (d < D)[None, :]
    a = tl.load(pairs + n * 2, mask=n < N, other=0)
    b = tl.load(pairs + n * 2 + 1, mask=n < N, other=0) + SECOND
    if SCORED:
        both = (n < N)[:, None] & (h < H)
        table = scores + seed * 2 * P * H + h
        first = tl.load(table + a[:, None] * H, mask=both, other=0.0)
        second = tl.load(table + b[:, None] * H, mask=both, other=0.0)
        top = tl.maximum(tl.maximum(first, second), 0.0)
        first, second = tl.exp(first - top), tl.exp(second - top)
        total = first + second + tl.exp(-top)
        first, second = first / total, second / total
        if tl.program_id(1) == 0:
            place = weights + n[:, None] * 2 * H + h
            tl.store(place, first, mask=both)
            tl.store(place + H, second, mask=both)
        table = values + seed * H * 2 * P * D + (h * 2 * P * D)[:, :, None] + d[None, None, :]
        tiles = both[:, :, None] & (d < D)[None, None, :]
        acc = first[:, :, None] * tl.load(table + (a * D)[:, None, None], mask=tiles, other=0.0)
        acc += second[:, :, None] * tl.load(table + (b * D)[:, None, None], mask=tiles, other=0.0)
        i = tl.arange(0, CONSTANTS)[:, None]
        place = constants + (seed * n_constants + i) * D + d[None, :]
        constant = tl.sum(tl.load(place, mask=(i < n_constants) & (d < D)[None, :], other=0.0), axis=0)
        acc = tl.sum(acc, axis=1) + constant[None, :]
    else:
        table = values + seed * (SECOND + P) * D + d
        acc = tl.load(table + a[:, None] * D, mask=real, other=0.0)
        acc += tl.load(table + b[:, None] * D, mask=real, other=0.0)
    tl.store(mixed + n[:, None] * D + d, acc, mask=real)


@triton.jit
def _score_grads(
    grad, values, weights, pairs, dscores, N, P, D: tl.constexpr,
    H: tl.constexpr, HEADS: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """Gradient of each pair's own two scores: [S, N, 2, H]."""
    seed = tl.program_id(1).to(tl.int64)
    grad += seed * N * D
    values += seed * H * 2 * P * D
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    real = n < N
    a = tl.load(pairs + (seed * N + n) * 2, mask=real, other=0)
    b = tl.load(pairs + (seed * N + n) * 2 + 1, mask=real, other=0) + P
    h = tl.arange(0, HEADS)[None, :]
    both = real[:, None] & (h < H)
    of_a = tl.zeros((ROWS, HEADS, COLS), tl.float32)
    of_b = tl.zeros((ROWS, HEADS, COLS), tl.float32)
    for start in range(0, D, COLS):
        d = start + tl.arange(0, COLS)
        g = tl.load(grad + n[:, None] * D + d, mask=real[:, None] & (d < D)[None, :], other=0.0)
        table = values + (h * 2 * P * D)[:, :, None] + d[None, None, :]
        tiles = both[:, :, None] & (d < D)[None, None, :]
        of_a += g[:, None, :] * tl.load(table + (a * D)[:, None, None], mask=tiles, other=0.0)
        of_b += g[:, None, :] * tl.load(table + (b * D)[:, None, None], mask=tiles, other=0.0)
    first, second = tl.sum(of_a, axis=2), tl.sum(of_b, axis=2)
    place = (seed * N + n)[:, None] * 2 * H + h
    w0 = tl.load(weights + place, mask=both, other=0.0)
    w1 = tl.load(weights + place + H, mask=both, other=0.0)
    mean = w0 * first + w1 * second
    tl.store(dscores + place, w0 * (first - mean), mask=both)
    tl.store(dscores + place + H, w1 * (second - mean), mask=both)


@triton.jit
def _row_sums(
    grad, weights, order, offsets, dvalues, totals, N, P, D, out_seed, out_head, out_row, out_column,
    LONGEST: tl.constexpr, SCORED: tl.constexpr, H: tl.constexpr, HEADS: tl.constexpr, ROWS: tl.constexpr,
    COLS: tl.constexpr,
):  # fmt: skip
    """Gradients of one table row: its pairs' gradients, weighted for each head, in the order of ``order``.

    Also the plain sum for a row of a. Without scores a and b share a table, so there are two lists of pairs, and one
    plain sum. Every row of a block of pairs is added up on its own, and the rows at the end.
    """
    row = tl.program_id(0)
    seed = tl.program_id(2).to(tl.int64)
    grad += seed * N * D
    weights += seed * N * 2 * H
    order += seed * 2 * N
    d = tl.program_id(1) * COLS + tl.arange(0, COLS)
    h = tl.arange(0, HEADS)[None, :]
    which = tl.where(row < P, 0, 1)
    acc = tl.zeros((HEADS, COLS), tl.float32)
    plain = tl.zeros((COLS,), tl.float32)
    for half in tl.static_range(1 if SCORED else 2):
        bounds = offsets + seed * (2 * P + 1) + half * P + row
        first, stop = tl.load(bounds), tl.load(bounds + 1)
        for start in range(0, LONGEST, ROWS):
            i = first + start + tl.arange(0, ROWS)
            n = tl.load(order + i, mask=i < stop, other=0)
            g = tl.load(grad + n[:, None] * D + d, mask=(i < stop)[:, None] & (d < D), other=0.0)
            plain += tl.sum(g, axis=0)
            if SCORED:
                place = weights + (n * 2 + which)[:, None] * H + h
                w = tl.load(place, mask=(i < stop)[:, None] & (h < H), other=0.0)
                acc += tl.sum(w[:, :, None] * g[:, None, :], axis=0)
    if SCORED:
        head = tl.arange(0, HEADS)[:, None]
        place = dvalues + seed * out_seed + head * out_head + row * out_row + d[None, :] * out_column
        tl.store(place, acc, mask=(head < H) & (d < D)[None, :])
        if row < P:
            tl.store(totals + (seed * P + row) * D + d, plain, mask=d < D)
    else:
        tl.store(dvalues + seed * out_seed + row * out_row + d * out_column, plain, mask=d < D)


@triton.jit
def _score_sums(
    pair_dscores, order, offsets, x, dscores, dkey_parts, N, P, D, x_seed,
    LONGEST: tl.constexpr, H: tl.constexpr, HEADS: tl.constexpr, GROUP: tl.constexpr, ROWS: tl.constexpr,
    COLS: tl.constexpr,
):  # fmt: skip
    """Gradients of a group of rows' scores, each the sum over its pairs, and what they give to the key."""
    group = tl.program_id(0)
    seed = tl.program_id(1).to(tl.int64)
    row = group * GROUP + tl.arange(0, GROUP)
    h = tl.arange(0, HEADS)
    d = tl.arange(0, COLS)
    residual = tl.load(
        x + seed * x_seed + row[:, None] * D + d, mask=(row < 2 * P)[:, None] & (d < D)[None, :], other=0.0
    )
    which = tl.where(row < P, 0, 1)
    bounds = offsets + seed * (2 * P + 1) + row
    first, stop = tl.load(bounds, mask=row < 2 * P, other=0), tl.load(bounds + 1, mask=row < 2 * P, other=0)
    acc = tl.zeros((GROUP, HEADS), tl.float32)
    for start in range(0, LONGEST, ROWS):
        i = first[:, None] + start + tl.arange(0, ROWS)[None, :]
        here = i < stop[:, None]
        n = tl.load(order + seed * 2 * N + i, mask=here, other=0)
        place = ((seed * N + n) * 2 + which[:, None])[:, :, None] * H + h
        acc += tl.sum(tl.load(pair_dscores + place, mask=here[:, :, None] & (h < H), other=0.0), axis=1)
    place = dscores + (seed * 2 * P + row)[:, None] * H + h
    tl.store(place, acc, mask=(row < 2 * P)[:, None] & (h < H)[None, :])
    key = tl.sum(acc[:, :, None] * residual[:, None, :], axis=0)
    place = (seed * tl.num_programs(0) + group) * H + h
    tl.store(dkey_parts + place[:, None] * D + d, key, mask=(h < H)[:, None] & (d < D)[None, :])


def token_mix(
    scores: Tensor, values: Tensor, constants: Tensor, segments: Segments, *, mixed: Tensor, weights: Tensor
) -> None:
    """As ``reference.token_mix``, to ``mixed``, and the pairs' weights to ``weights`` [S, N, 2, h]. All contiguous."""
    (n_seeds, h, _, d), n, p = values.shape, segments.pairs.shape[1], segments.p
    _mix[_mix_grid(n, d, n_seeds)](
        scores, values, constants, segments.pairs, mixed, weights, n, p, d, p, constants.shape[1],
        SCORED=True, H=h, HEADS=triton.next_power_of_2(h), CONSTANTS=triton.next_power_of_2(constants.shape[1]), **MIX,
    )  # fmt: skip


def values_backward(grad: Tensor, weights: Tensor, segments: Segments, *, dvalues: Tensor, totals: Tensor) -> None:
    """grad [S, N, D] by ``mixed`` → gradient of the values, ``dvalues`` [S, h, 2p, D], of any strides.

    totals [S, p, D]: for each a the sum of its pairs' grad; their sum is the gradient of every constant. The rest is
    contiguous.
    """
    (n_seeds, h, _, d), n, p = dvalues.shape, segments.pairs.shape[1], segments.p
    _row_sums[(2 * p, triton.cdiv(d, SUMS["COLS"]), n_seeds)](
        grad, weights, segments.order, segments.offsets, dvalues, totals, n, p, d, *dvalues.stride(),
        LONGEST=segments.longest, SCORED=True, H=h, HEADS=triton.next_power_of_2(h), ROWS=ROWS, **SUMS,
    )  # fmt: skip


def scores_backward(
    grad: Tensor, values: Tensor, weights: Tensor, segments: Segments, x: Tensor,
    *, pair_dscores: Tensor, dscores: Tensor, dkey_parts: Tensor,
) -> None:  # fmt: skip
    """grad [S, N, D] by ``mixed`` → gradient of the scores, x [S, 2p, d] times a key: ``dscores`` [S, 2p, h].

    dkey_parts [S, G, h, d], for each of G = ``groups(p)`` groups of rows: Σ dscores x. Their sum is the gradient by the
    key that x is multiplied by. pair_dscores: memory like ``weights``. All contiguous, but x from seed to seed.
    """
    (n_seeds, h, _, d), n, p = values.shape, segments.pairs.shape[1], segments.p
    heads: dict[str, Any] = {"H": h, "HEADS": triton.next_power_of_2(h)}
    _score_grads[(triton.cdiv(n, SCORES["ROWS"]), n_seeds)](
        grad, values, weights, segments.pairs, pair_dscores, n, p, d, **heads, **SCORES
    )
    _score_sums[(groups(p), n_seeds)](
        pair_dscores, segments.order, segments.offsets, x, dscores, dkey_parts, n, p, x.shape[2], x.stride(0),
        LONGEST=segments.longest, COLS=triton.next_power_of_2(x.shape[2]), **heads, **SCORE_SUMS,
    )  # fmt: skip


def groups(p: int) -> int:
    """Of table rows whose scores' gradients one program adds up."""
    return triton.cdiv(2 * p, SCORE_SUMS["GROUP"])


def gather_pairs(table: Tensor, segments: Segments, *, mixed: Tensor) -> None:
    """table[a] + table[b]: [S, p, D] → ``mixed`` [S, N, D] (the MLP's way to read its tokens). All contiguous."""
    (n_seeds, p, d), n = table.shape, segments.pairs.shape[1]
    _mix[_mix_grid(n, d, n_seeds)](
        table, table, table, segments.pairs, mixed, table, n, p, d, 0, 0, SCORED=False, H=1, HEADS=1, CONSTANTS=1, **MIX
    )


def gather_pairs_backward(grad: Tensor, segments: Segments, *, dtable: Tensor) -> None:
    """[S, N, D], contiguous → gradient of the table, ``dtable`` [S, p, D]."""
    (n_seeds, n, d), p, (seed, row, column) = grad.shape, segments.p, dtable.stride()
    _row_sums[(p, triton.cdiv(d, SUMS["COLS"]), n_seeds)](
        grad, grad, segments.order, segments.offsets, dtable, grad, n, p, d, seed, 0, row, column,
        LONGEST=segments.longest, SCORED=False, H=1, HEADS=1, ROWS=ROWS, **SUMS,
    )  # fmt: skip


def _mix_grid(n: int, d: int, n_seeds: int) -> tuple[int, int, int]:
    return triton.cdiv(n, MIX["ROWS"]), triton.cdiv(d, MIX["COLS"]), n_seeds
