"""``reference`` on a GPU, one launch forward and one backward; float32."""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

BACKWARD: dict[str, Any] = {"ROWS": 64, "COLS": 8, "num_warps": 4}


@triton.jit
def _residual(embed, pos, x, P, D, embed_seed, pos_seed, ROWS: tl.constexpr, COLS: tl.constexpr):
    """Some rows of a seed, all columns."""
    seed = tl.program_id(1).to(tl.int64)
    embed += seed * embed_seed
    pos += seed * pos_seed
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    d = tl.arange(0, COLS)
    position, token = tl.minimum(row // P, 2), row % P
    token = tl.where(position == 2, P, token)
    real = (row <= 2 * P)[:, None] & (d < D)[None, :]
    equals = tl.load(embed + P * D + d, mask=d < D, other=0.0) + tl.load(pos + 2 * D + d, mask=d < D, other=0.0)
    found = tl.load(embed + token[:, None] * D + d, mask=real, other=0.0)
    found += tl.load(pos + position[:, None] * D + d, mask=real, other=0.0)
    found = tl.where((position < 2)[:, None], found - equals[None, :], found)
    tl.store(x + seed * (2 * P + 1) * D + row[:, None] * D + d, found, mask=real)


@triton.jit
def _residual_backward(
    dx, dequals, dembed, dpos, P: tl.constexpr, R: tl.constexpr, D, dembed_seed, dpos_seed,
    ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """Some columns of a seed, all rows."""
    seed = tl.program_id(1).to(tl.int64)
    dx += seed * 2 * P * D
    dequals += seed * R * D
    dembed += seed * dembed_seed
    dpos += seed * dpos_seed
    row = tl.arange(0, ROWS)[:, None]
    d = tl.program_id(0) * COLS + tl.arange(0, COLS)
    column = d[None, :]
    equals = tl.zeros((ROWS, COLS), tl.float32)
    for start in range(0, R, ROWS):
        here = (start + row < R) & (column < D)
        equals += tl.load(dequals + (start + row) * D + column, mask=here, other=0.0)
    first = tl.zeros((ROWS, COLS), tl.float32)
    second = tl.zeros((ROWS, COLS), tl.float32)
    for start in range(0, P, ROWS):
        here = (start + row < P) & (column < D)
        of_a = tl.load(dx + (start + row) * D + column, mask=here, other=0.0)
        of_b = tl.load(dx + (P + start + row) * D + column, mask=here, other=0.0)
        tl.store(dembed + (start + row) * D + column, of_a + of_b, mask=here)
        first += of_a
        second += of_b
    whole = tl.sum(equals - (first + second), axis=0)
    tl.store(dpos + d, tl.sum(first, axis=0), mask=d < D)
    tl.store(dpos + D + d, tl.sum(second, axis=0), mask=d < D)
    tl.store(dpos + 2 * D + d, whole, mask=d < D)
    tl.store(dembed + P * D + d, whole, mask=d < D)


def residual(embed: Tensor, pos: Tensor, *, x: Tensor) -> None:
    """As ``reference.residual``, to ``x``. All contiguous but from seed to seed."""
    n_seeds, rows, d = x.shape
    _residual[(triton.cdiv(rows, 8), n_seeds)](
        embed, pos, x, rows // 2, d, embed.stride(0), pos.stride(0), ROWS=8, COLS=triton.next_power_of_2(d)
    )


def residual_backward(dx: Tensor, dequals: Tensor, *, dembed: Tensor, dpos: Tensor) -> None:
    """As ``reference.residual_backward``. All contiguous but ``dembed`` and ``dpos`` from seed to seed."""
    n_seeds, rows, d = dx.shape
    _residual_backward[(triton.cdiv(d, BACKWARD["COLS"]), n_seeds)](
        dx, dequals, dembed, dpos, rows // 2, dequals.shape[1], d, dembed.stride(0), dpos.stride(0), **BACKWARD
    )
