"""``reference`` on a GPU: a row of logits is read once, its loss and gradient written once; float32 throughout.

``tl.exp`` and ``tl.log`` are approximations with an *absolute* error in the exponent's product, which grows with the
argument: 2e-6 of exp(-28). ``_exp`` reduces the argument exactly first; ``_log1p`` is a series below one.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from grok.kernels.fixed_order.triton import add_rows


@triton.jit
def _exp(x):
    """exp(x), x ≤ 0, to a few units in the last place; 0 below -87."""
    n = tl.floor(x * 1.4426950408889634 + 0.5)
    n = tl.maximum(n, -126.0)
    f = (x - n * 0.693359375) + n * 2.12194440e-4  # ln 2 in two parts; the first product is exact
    value = tl.exp(tl.maximum(f, -1.0)) * tl.exp2(n)
    return tl.where(x < -87.0, 0.0, value)


@triton.jit
def _log1p(x):
    """log(1 + x), x ≥ 0: 2 artanh(x / (2 + x)) as a series if x < 1, else a logarithm that is at least 0.69."""
    z = tl.minimum(x, 1.0) / (2.0 + tl.minimum(x, 1.0))
    t = z * z
    series = 1.0 / 15 + t * (1.0 / 17)
    series = 1.0 / 13 + t * series
    series = 1.0 / 11 + t * series
    series = 1.0 / 9 + t * series
    series = 1.0 / 7 + t * series
    series = 1.0 / 5 + t * series
    series = 1.0 / 3 + t * series
    series = 2.0 * z * (1.0 + t * series)
    return tl.where(x < 1.0, series, tl.log(1.0 + x))


@triton.jit
def _kernel(
    logits,
    labels,
    losses,
    grads,
    n_rows,
    n_classes,
    mean_of,
    GRAD: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
):
    """A block of rows, all classes: loss of each row; its gradient, divided by ``mean_of``, if asked for."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLS)
    real_row = row < n_rows
    label = tl.load(labels + row, mask=real_row, other=0)
    right = tl.load(logits + row * n_classes + label, mask=real_row, other=0.0)
    place = row[:, None] * n_classes + column[None, :]
    real = real_row[:, None] & (column < n_classes)[None, :]
    is_right = column[None, :] == label[:, None]
    gap = tl.load(logits + place, mask=real, other=float("-inf")) - right[:, None]
    gap = tl.where(is_right | (real == 0), -1e30, gap)
    m = tl.maximum(tl.max(gap, axis=1), 0.0)
    e = _exp(gap - m[:, None])
    wrong = tl.sum(e, axis=1)
    total = wrong + (_exp(-m) - 1.0)
    tl.store(losses + row, m + _log1p(total), mask=real_row)
    if GRAD:
        scale = 1.0 / ((1.0 + total) * mean_of)
        grad = tl.where(is_right, -wrong[:, None], e) * scale[:, None]
        tl.store(grads + place, grad, mask=real)


def losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Loss of every row: [..., N, C] float32, [..., N] → [..., N]. Without autograd."""
    rows = torch.empty(labels.shape, dtype=torch.float32, device=logits.device)
    _launch(logits, labels, rows, rows, grad=False)
    return rows


def loss_and_grad(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean loss over N and its gradient: [..., N, C] float32 → [...], [..., N, C]."""
    rows = torch.empty(labels.shape, dtype=torch.float32, device=logits.device)
    grads = torch.empty(logits.shape, dtype=torch.float32, device=logits.device)
    _launch(logits, labels, rows, grads, grad=True)
    return mean(rows), grads


def mean(losses: Tensor) -> Tensor:
    """[..., N] → [...]."""
    return add_rows(losses.unsqueeze(-1)).squeeze(-1) / losses.shape[-1]


def _launch(logits: Tensor, labels: Tensor, rows: Tensor, grads: Tensor, *, grad: bool) -> None:
    n_rows, n_classes, block = labels.numel(), logits.shape[-1], 16
    _kernel[(triton.cdiv(n_rows, block),)](
        logits.contiguous(),
        labels.contiguous(),
        rows,
        grads,
        n_rows,
        n_classes,
        logits.shape[-2],
        GRAD=grad,
        ROWS=block,
        COLS=triton.next_power_of_2(n_classes),
    )
