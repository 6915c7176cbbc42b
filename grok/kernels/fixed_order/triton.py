"""``reference`` on a GPU; float32."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

SPLIT = 128  # rows that one program adds


@triton.jit
def _matmul(
    a, b, out, N, M, K: tl.constexpr, HEADS,
    a_seed, a_head, a_row, a_column, b_seed, b_head, b_row, b_column,
    ROWS: tl.constexpr, COLS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """One tile of the product of one seed and head; out is contiguous."""
    seed = (tl.program_id(2) // HEADS).to(tl.int64)
    head = tl.program_id(2) % HEADS
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    m = tl.program_id(1) * COLS + tl.arange(0, COLS)
    a += seed * a_seed + head * a_head
    b += seed * b_seed + head * b_head
    acc = tl.zeros((ROWS, COLS), tl.float32)
    for start in range(0, K, DEPTH):
        k = start + tl.arange(0, DEPTH)
        left = (n < N)[:, None] & (k < K)[None, :]
        right = (k < K)[:, None] & (m < M)[None, :]
        x = tl.load(a + n[:, None] * a_row + k[None, :] * a_column, mask=left, other=0.0)
        y = tl.load(b + k[:, None] * b_row + m[None, :] * b_column, mask=right, other=0.0)
        acc += tl.dot(x, y, input_precision="ieee")
    place = out + (seed * HEADS + head) * N * M + n[:, None] * M + m[None, :]
    tl.store(place, acc, mask=(n < N)[:, None] & (m < M)[None, :])


@triton.jit
def _add_rows(
    x, out, N, M, HEADS, x_seed, x_head, x_row, splits, SPLIT: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr
):
    """Sum of SPLIT rows of one seed and head, one after the other in groups of ROWS: [.., splits, M]."""
    split = tl.program_id(0)
    seed = (tl.program_id(2) // HEADS).to(tl.int64)
    head = tl.program_id(2) % HEADS
    m = tl.program_id(1) * COLS + tl.arange(0, COLS)
    acc = tl.zeros((COLS,), tl.float32)
    for start in range(0, SPLIT, ROWS):
        n = split * SPLIT + start + tl.arange(0, ROWS)
        place = x + seed * x_seed + head * x_head + n[:, None] * x_row + m[None, :]
        acc += tl.sum(tl.load(place, mask=(n < N)[:, None] & (m < M)[None, :], other=0.0), axis=0)
    tl.store(out + ((seed * HEADS + head) * splits + split) * M + m, acc, mask=m < M)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """[S, n, k], [S, k, m] → [S, n, m], or with heads, [S, h, n, k]; leading dimensions are broadcast, any strides."""
    lead = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    (n, k), m = a.shape[-2:], b.shape[-1]
    a, b = _with_heads(a, lead), _with_heads(b, lead)
    out = torch.empty(*lead, n, m, dtype=torch.float32, device=a.device)
    heads = a.shape[1]
    rows, cols, depth = 32, 32, 32
    _matmul[(triton.cdiv(n, rows), triton.cdiv(m, cols), a.shape[0] * heads)](
        a, b, out, n, m, k, heads, *a.stride(), *b.stride(), ROWS=rows, COLS=cols, DEPTH=depth
    )
    return out


def add_rows(x: Tensor) -> Tensor:
    """[S, n, m] → [S, m], or with heads, [S, h, n, m] → [S, h, m]; columns adjacent, other strides free."""
    lead, (n, m) = x.shape[:-2], x.shape[-2:]
    x = _with_heads(x, lead)
    if x.stride(-1) != 1:
        raise ValueError(f"columns must be adjacent in memory, got strides {x.stride()}")
    splits, heads, cols = max(1, triton.cdiv(n, SPLIT)), x.shape[1], 64
    out = torch.empty(*lead, splits, m, dtype=torch.float32, device=x.device)
    _add_rows[(splits, triton.cdiv(m, cols), x.shape[0] * heads)](
        x, out, n, m, heads, *x.stride()[:3], splits, SPLIT=SPLIT, ROWS=16, COLS=cols
    )
    return out.squeeze(-2) if splits == 1 else add_rows(out)


def _with_heads(x: Tensor, lead: tuple[int, ...]) -> Tensor:
    """[S, h, ., .] of [S, ., .] or [S, h, ., .], broadcast to the leading dimensions."""
    x = x.expand(*lead, *x.shape[-2:])
    return x[:, None] if len(lead) == 1 else x
