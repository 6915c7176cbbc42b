"""``reference`` on a GPU, without writing relu(pre) to memory; float32.

Products are "ieee", in float32 units: plain "tf32", Triton's default, is not enough for training losses of 1e-8. The
reduction over pairs (gradient of U) is split a fixed number of times and added in a fixed order: no atomics, the same
bits every time, whatever the number of seeds.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from grok.kernels.fixed_order.triton import add_rows

SPLITS = 16


@triton.jit
def _forward(
    pre, readout, direct, logits, N, M: tl.constexpr, C, pre_row, pre_seed, direct_row, direct_seed,
    DIRECT: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    seed = tl.program_id(2).to(tl.int64)
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.program_id(1) * COLS + tl.arange(0, COLS)
    real = (n < N)[:, None] & (c < C)[None, :]
    acc = tl.zeros((ROWS, COLS), tl.float32)
    for start in range(0, M, DEPTH):
        m = start + tl.arange(0, DEPTH)
        x = tl.load(pre + seed * pre_seed + n[:, None] * pre_row + m, mask=(n < N)[:, None] & (m < M), other=0.0)
        u = tl.load(readout + seed * M * C + m[:, None] * C + c, mask=(m < M)[:, None] & (c < C), other=0.0)
        acc += tl.dot(tl.maximum(x, 0.0), u, input_precision="ieee")
    if DIRECT:
        acc += tl.load(direct + seed * direct_seed + n[:, None] * direct_row + c, mask=real, other=0.0)
    tl.store(logits + seed * N * C + n[:, None] * C + c, acc, mask=real)


@triton.jit
def _backward_pre(
    dlogits, readout, pre, dpre, N, M, C: tl.constexpr, pre_row, pre_seed, dpre_row, dpre_seed,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    seed = tl.program_id(2).to(tl.int64)
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    m = tl.program_id(1) * COLS + tl.arange(0, COLS)
    real = (n < N)[:, None] & (m < M)[None, :]
    acc = tl.zeros((ROWS, COLS), tl.float32)
    for start in range(0, C, DEPTH):
        c = start + tl.arange(0, DEPTH)
        g = tl.load(dlogits + seed * N * C + n[:, None] * C + c, mask=(n < N)[:, None] & (c < C), other=0.0)
        u = tl.load(readout + seed * M * C + m[None, :] * C + c[:, None], mask=(m < M) & (c < C)[:, None], other=0.0)
        acc += tl.dot(g, u, input_precision="ieee")
    x = tl.load(pre + seed * pre_seed + n[:, None] * pre_row + m, mask=real, other=0.0)
    tl.store(dpre + seed * dpre_seed + n[:, None] * dpre_row + m, tl.where(x > 0, acc, 0.0), mask=real)


@triton.jit
def _backward_readout(
    dlogits, pre, partial, N, M, C, pre_row, pre_seed, rows_per_split: tl.constexpr, splits,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
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
        g = tl.load(dlogits + seed * N * C + n[:, None] * C + c, mask=(n < stop)[:, None] & (c < C), other=0.0)
        acc += tl.dot(tl.maximum(x, 0.0), g, input_precision="ieee")
    place = partial + (seed * splits + split) * M * C + m[:, None] * C + c
    tl.store(place, acc, mask=(m < M)[:, None] & (c < C))


def relu_readout(pre: Tensor, unembedding: Tensor, direct: Tensor | None = None) -> Tensor:
    """[S, N, m], [S, m, C], [S, N, C] or None → [S, N, C]. Rows of ``pre`` and ``direct`` may be strided."""
    (s, n, m), c = pre.shape, unembedding.shape[-1]
    logits = torch.empty(s, n, c, dtype=torch.float32, device=pre.device)
    other = logits if direct is None else direct
    rows, cols, depth = 64, 64, 32
    _forward[(triton.cdiv(n, rows), triton.cdiv(c, cols), s)](
        pre, unembedding.contiguous(), other, logits, n, m, c, *_strides(pre), *_strides(other),
        DIRECT=direct is not None, ROWS=rows, COLS=cols, DEPTH=depth,
    )  # fmt: skip
    return logits


def relu_readout_backward(
    dlogits: Tensor, pre: Tensor, unembedding: Tensor, *, dpre: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Gradients by ``pre`` (written to ``dpre`` if given, whose rows may be strided) and by ``unembedding``."""
    (s, n, m), c = pre.shape, unembedding.shape[-1]
    dlogits, unembedding = dlogits.contiguous(), unembedding.contiguous()
    dpre = torch.empty(s, n, m, dtype=torch.float32, device=pre.device) if dpre is None else dpre
    rows, cols, depth = 64, 64, 32
    _backward_pre[(triton.cdiv(n, rows), triton.cdiv(m, cols), s)](
        dlogits, unembedding, pre, dpre, n, m, c, *_strides(pre), *_strides(dpre),
        ROWS=rows, COLS=cols, DEPTH=depth,
    )  # fmt: skip
    partial = torch.empty(s, SPLITS, m, c, dtype=torch.float32, device=pre.device)
    _backward_readout[(triton.cdiv(m, rows), triton.cdiv(c, cols), s * SPLITS)](
        dlogits, pre, partial, n, m, c, *_strides(pre), triton.cdiv(n, SPLITS), SPLITS,
        ROWS=rows, COLS=cols, DEPTH=depth,
    )  # fmt: skip
    return dpre, add_rows(partial.flatten(2)).view(s, m, c)


def _strides(x: Tensor) -> tuple[int, int]:
    """Of rows and of seeds; columns must be adjacent."""
    if x.stride(2) != 1:
        raise ValueError(f"columns must be adjacent in memory, got strides {x.stride()}")
    return x.stride(1), x.stride(0)
