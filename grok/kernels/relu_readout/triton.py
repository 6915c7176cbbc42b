"""``reference`` on a GPU, without writing relu(pre) to memory; float32.

How products round: ``grok.kernels.dot``. Plain "tf32", Triton's default, is not enough for training losses of 1e-8.
The reduction over pairs (gradient of U) is split a fixed number of times and added in a fixed order: no atomics, the
same bits every time, whatever the number of seeds.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from grok.kernels.dot import dot

SPLITS = 16
ADDED = 4  # rows of the gradient of U whose splits a program adds up
FORWARD: dict[str, Any] = {"ROWS": 64, "COLS": 64, "DEPTH": 64, "num_warps": 4, "num_stages": 3}
BACKWARD: dict[str, Any] = {"ROWS": 128, "COLS": 64, "DEPTH": 32, "num_warps": 8, "num_stages": 3}


@triton.jit
def _forward(
    pre, readout, direct, logits, N, M: tl.constexpr, C, W, pre_row, pre_seed, readout_seed, direct_row, direct_seed,
    DIRECT: tl.constexpr, PRECISION: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    seed = tl.program_id(2).to(tl.int64)
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(1) * COLS + tl.arange(0, COLS)
    real = (n < N)[:, None] & (c < W)[None, :]
    acc = tl.zeros((ROWS, COLS), tl.float32)
    for start in range(0, M, DEPTH):
        m = start + tl.arange(0, DEPTH)
        x = tl.load(pre + seed * pre_seed + n[:, None] * pre_row + m, mask=(n < N)[:, None] & (m < M), other=0.0)
        u = tl.load(readout + seed * readout_seed + m[:, None] * C + c, mask=(m < M)[:, None] & (c < C), other=0.0)
        acc = dot(tl.maximum(x, 0.0), u, acc, PRECISION)
    if DIRECT:
        acc += tl.load(direct + seed * direct_seed + n[:, None] * direct_row + c, mask=real, other=0.0)
    tl.store(logits + seed * N * W + n[:, None] * W + c, acc, mask=real)


@triton.jit
def _backward_pre(
    dlogits, readout, pre, dpre, N, M, C, W: tl.constexpr, dlogits_row, dlogits_seed, pre_row, pre_seed, readout_seed,
    dpre_row, dpre_seed, PRECISION: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    seed = tl.program_id(2).to(tl.int64)
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    m = tl.program_id(1) * COLS + tl.arange(0, COLS)
    real = (n < N)[:, None] & (m < M)[None, :]
    acc = tl.zeros((ROWS, COLS), tl.float32)
    for start in range(0, W, DEPTH):
        c = start + tl.arange(0, DEPTH)
        place = dlogits + seed * dlogits_seed + n[:, None] * dlogits_row + c
        g = tl.load(place, mask=(n < N)[:, None] & (c < W), other=0.0)
        u = tl.load(readout + seed * readout_seed + m * C + c[:, None], mask=(m < M) & (c < C)[:, None], other=0.0)
        acc = dot(g, u, acc, PRECISION)
    x = tl.load(pre + seed * pre_seed + n[:, None] * pre_row + m, mask=real, other=0.0)
    tl.store(dpre + seed * dpre_seed + n[:, None] * dpre_row + m, tl.where(x > 0, acc, 0.0), mask=real)


@triton.jit
def _backward_readout(
    dlogits, pre, partial, N, M, W, dlogits_row, dlogits_seed, pre_row, pre_seed, rows_per_split: tl.constexpr, splits,
    PRECISION: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    split = tl.program_id(2) % splits
    seed = (tl.program_id(2) // splits).to(tl.int64)
    m = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(1) * COLS + tl.arange(0, COLS)
    acc = tl.zeros((ROWS, COLS), tl.float32)
    stop = tl.minimum((split + 1) * rows_per_split, N)
    for start in range(0, rows_per_split, DEPTH):
        n = split * rows_per_split + start + tl.arange(0, DEPTH)
        place = pre + seed * pre_seed + n[None, :] * pre_row + m[:, None]
        x = tl.load(place, mask=(n < stop) & (m < M)[:, None], other=0.0)
        place = dlogits + seed * dlogits_seed + n[:, None] * dlogits_row + c
        g = tl.load(place, mask=(n < stop)[:, None] & (c < W), other=0.0)
        acc = dot(tl.maximum(x, 0.0), g, acc, PRECISION)
    place = partial + (seed * splits + split) * M * W + m[:, None] * W + c
    tl.store(place, acc, mask=(m < M)[:, None] & (c < W))


@triton.jit
def _add_partial(
    partial, out, M, C, W, out_seed, out_row, out_column, SPLITS: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """Sum over the splits, in their order."""
    seed = tl.program_id(1).to(tl.int64)
    m = (tl.program_id(0) * ROWS + tl.arange(0, ROWS))[:, None]
    c = tl.arange(0, COLS)[None, :]
    acc = tl.zeros((ROWS, COLS), tl.float32)
    for split in tl.static_range(SPLITS):  # unrolled, so that all of them are on their way at once
        place = partial + (seed * SPLITS + split) * M * W + m * W + c
        acc += tl.load(place, mask=(m < M) & (c < W), other=0.0)
    tl.store(out + seed * out_seed + m * out_row + c * out_column, acc, mask=(m < M) & (c < C))


def relu_readout(
    pre: Tensor, unembedding: Tensor, direct: Tensor | None = None, *, logits: Tensor, precision: str = "ieee"
) -> None:
    """[S, N, m], [S, m, C], [S, N, W] or None → ``logits`` [S, N, W], contiguous, W ≥ C.

    Behind C the logits are ``direct`` alone, or zero. Columns that are a multiple of 16 are read and written several at
    a time. Rows of ``pre`` and ``direct`` may be strided, ``unembedding`` from seed to seed only.
    """
    (s, n, m), c, w = pre.shape, unembedding.shape[-1], logits.shape[-1]
    other = logits if direct is None else direct
    _forward[(triton.cdiv(n, FORWARD["ROWS"]), triton.cdiv(w, FORWARD["COLS"]), s)](
        pre, unembedding, other, logits, n, m, c, w, *_strides(pre), _packed(unembedding), *_strides(other),
        DIRECT=direct is not None, PRECISION=precision, **FORWARD,
    )  # fmt: skip


def backward_pre(dlogits: Tensor, pre: Tensor, unembedding: Tensor, *, dpre: Tensor, precision: str = "ieee") -> None:
    """The gradient by ``pre``, to ``dpre``; strides as forward. dlogits: [S, N, W], zero behind C."""
    (s, n, m), c, w = pre.shape, unembedding.shape[-1], dlogits.shape[-1]
    _backward_pre[(triton.cdiv(n, BACKWARD["ROWS"]), triton.cdiv(m, BACKWARD["COLS"]), s)](
        dlogits, unembedding, pre, dpre, n, m, c, w, *_strides(dlogits), *_strides(pre), _packed(unembedding),
        *_strides(dpre), PRECISION=precision, **BACKWARD,
    )  # fmt: skip


def backward_readout(
    dlogits: Tensor, pre: Tensor, *, dunembedding: Tensor, partial: Tensor, precision: str = "ieee"
) -> None:
    """The gradient by the unembedding, to ``dunembedding`` [S, m, C], of any strides.

    dlogits: [S, N, W], zero behind C. partial: memory for sums, [S, SPLITS, m, W].
    """
    (s, n, m), c, w = pre.shape, dunembedding.shape[-1], dlogits.shape[-1]
    _backward_readout[(triton.cdiv(m, BACKWARD["ROWS"]), triton.cdiv(w, BACKWARD["COLS"]), s * SPLITS)](
        dlogits, pre, partial, n, m, w, *_strides(dlogits), *_strides(pre), triton.cdiv(n, SPLITS), SPLITS,
        PRECISION=precision, **BACKWARD,
    )  # fmt: skip
    _add_partial[(triton.cdiv(m, ADDED), s)](
        partial, dunembedding, m, c, w, *dunembedding.stride(),
        SPLITS=SPLITS, ROWS=ADDED, COLS=triton.next_power_of_2(w),
    )  # fmt: skip


def _strides(x: Tensor) -> tuple[int, int]:
    """Of rows and of seeds; columns must be adjacent."""
    if x.stride(2) != 1:
        raise ValueError(f"columns must be adjacent in memory, got strides {x.stride()}")
    return x.stride(1), x.stride(0)


def _packed(x: Tensor) -> int:
    """Stride of seeds; rows must follow one another."""
    if x.stride()[1:] != (x.shape[2], 1):
        raise ValueError(f"rows must be adjacent in memory, got strides {x.stride()}")
    return x.stride(0)
