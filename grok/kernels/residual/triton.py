"""``reference`` on a GPU in one launch; float32."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor


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


def residual(embed: Tensor, pos: Tensor, *, x: Tensor) -> None:
    """As ``reference.residual``, to ``x``. All contiguous but from seed to seed."""
    n_seeds, rows, d = x.shape
    _residual[(triton.cdiv(rows, 8), n_seeds)](
        embed, pos, x, rows // 2, d, embed.stride(0), pos.stride(0), ROWS=8, COLS=triton.next_power_of_2(d)
    )
