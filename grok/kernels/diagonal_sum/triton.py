"""``reference`` on a GPU: the logits are read once, one program to a sum s; float32. The p × p rest is as there."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from grok.kernels.diagonal_sum.reference import transform


@triton.jit
def _kernel(logits, table, p, SIGN: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr):
    s = tl.program_id(0)
    seed = tl.program_id(1).to(tl.int64)
    c = tl.arange(0, COLS)
    acc = tl.zeros((COLS,), tl.float32)
    for start in range(0, p, ROWS):
        a = start + tl.arange(0, ROWS)
        b = (SIGN * (s - a) + 2 * p) % p  # the b with (a + SIGN · b) mod p = s; operands kept non-negative
        place = logits + seed * p * p * p + (a * p + b)[:, None] * p + c
        acc += tl.sum(tl.load(place, mask=(a < p)[:, None] & (c < p), other=0.0), axis=0)
    tl.store(table + (seed * p + s) * p + c, acc, mask=c < p)


def coefficients(logits: Tensor, sign: int = 1) -> Tensor:
    """As ``reference.coefficients``, for float32."""
    n_seeds, _, p = logits.shape
    table = torch.empty(n_seeds, p, p, dtype=torch.float32, device=logits.device)
    _kernel[(p, n_seeds)](logits.contiguous(), table, p, SIGN=sign, ROWS=16, COLS=triton.next_power_of_2(p))
    return transform(table)
