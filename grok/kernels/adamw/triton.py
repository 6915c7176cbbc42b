"""``reference`` on a GPU: all parameters of all seeds, and the count of updates, in one launch; float32.

Every program has a count of its own: of one for all, some programs would read what another had already raised. Within
a program a barrier stands between the threads' reading of it and the write.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


@triton.jit
def _adamw(
    flat, grad, exp_avg, exp_avg_sq, count, table, size,
    lr: tl.constexpr, beta1: tl.constexpr, beta2: tl.constexpr, eps: tl.constexpr, decay: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    real = i < size
    t = tl.load(count + tl.program_id(0)) + 1
    tl.debug_barrier()
    first = tl.load(table + 2 * t)
    second = tl.load(table + 2 * t + 1)
    g = tl.load(grad + i, mask=real, other=0.0)
    m = tl.load(exp_avg + i, mask=real, other=0.0)
    v = tl.load(exp_avg_sq + i, mask=real, other=0.0)
    w = tl.load(flat + i, mask=real, other=0.0)
    m = m + (1.0 - beta1) * (g - m)
    v = beta2 * v + (1.0 - beta2) * g * g
    step = lr * first * m / (tl.sqrt_rn(v) / second + eps)
    tl.store(flat + i, w * (1.0 - lr * decay) - step, mask=real)
    tl.store(exp_avg + i, m, mask=real)
    tl.store(exp_avg_sq + i, v, mask=real)
    tl.store(count + tl.program_id(0), t)


def counts(flat: Tensor, step: int) -> Tensor:
    """``step``, for every program that updates ``flat``: int32."""
    return torch.full((triton.cdiv(flat.numel(), BLOCK),), step, dtype=torch.int32, device=flat.device)


def adamw(
    flat: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    count: Tensor,
    table: Tensor,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """As ``reference.adamw``, with ``counts``; every tensor contiguous and on one device."""
    size = flat.numel()
    _adamw[(triton.cdiv(size, BLOCK),)](
        flat, grad, exp_avg, exp_avg_sq, count, table, size,
        lr=lr, beta1=betas[0], beta2=betas[1], eps=eps, decay=weight_decay, BLOCK=BLOCK,
    )  # fmt: skip
