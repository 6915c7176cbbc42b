"""``reference`` on a GPU: a row of logits is read once, its gradient written once; float32 throughout.

``tl.exp`` and ``tl.log`` are approximations with an *absolute* error in the exponent's product, which grows with the
argument: 2e-6 of exp(-28). ``_exp`` reduces the argument exactly first; ``_log1p`` is a series below one.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS = 8  # of a program


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
def _losses_of(logits, label, column, C, N):
    """Of rows of logits: the losses, and the gradient of their mean over N. Columns from C on are no classes."""
    is_right = column[None, :] == label[:, None]
    right = tl.sum(tl.where(is_right, logits, 0.0), axis=1)
    gap = tl.where(is_right | (column >= C)[None, :], -1e30, logits - right[:, None])
    m = tl.maximum(tl.max(gap, axis=1), 0.0)
    e = _exp(gap - m[:, None])
    wrong = tl.sum(e, axis=1)
    total = wrong + (_exp(-m) - 1.0)
    scale = 1.0 / ((1.0 + total) * N)
    return m + _log1p(total), tl.where(is_right, -wrong[:, None], e) * scale[:, None]


@triton.jit
def _cross_entropy(
    logits, labels, partial, grads, N, C, W, n_blocks, grads_row, grads_seed,
    GRAD: tl.constexpr, ROWS: tl.constexpr, COLS: tl.constexpr,
):  # fmt: skip
    """A block of rows of a seed, all classes: the sum of its losses; the gradient of the seed's mean, if asked for."""
    seed = tl.program_id(1).to(tl.int64)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLS)
    real = (row < N)[:, None] & (column < W)[None, :]
    label = tl.load(labels + seed * N + row, mask=row < N, other=0)
    found = tl.load(logits + seed * N * W + row[:, None] * W + column, mask=real, other=0.0)
    loss, grad = _losses_of(found, label, column, C, N)
    tl.store(partial + seed * n_blocks + tl.program_id(0), tl.sum(tl.where(row < N, loss, 0.0), axis=0))
    if GRAD:
        tl.store(grads + seed * grads_seed + row[:, None] * grads_row + column, grad, mask=real)


@triton.jit
def _mean(partial, means, N, BLOCKS: tl.constexpr, ROWS: tl.constexpr):
    """Of a seed, from the sums of its blocks."""
    seed = tl.program_id(0).to(tl.int64)
    acc = tl.zeros((ROWS,), tl.float32)
    for start in range(0, BLOCKS, ROWS):
        i = start + tl.arange(0, ROWS)
        acc += tl.load(partial + seed * BLOCKS + i, mask=i < BLOCKS, other=0.0)
    tl.store(means + seed, tl.sum(acc, axis=0) / N)


def mean_loss(logits: Tensor, labels: Tensor, n_classes: int = 0, *, grad: Tensor | None = None) -> Tensor:
    """Mean loss over N: [S, N, W] float32 contiguous, [S, N] → [S]. Without autograd. More: ``block_losses``."""
    n_seeds, n, _ = logits.shape
    partial = torch.empty(n_seeds, blocks(n), dtype=torch.float32, device=logits.device)
    block_losses(logits, labels, n_classes, partial=partial, grad=grad)
    return mean(partial, n)


def block_losses(
    logits: Tensor, labels: Tensor, n_classes: int = 0, *, partial: Tensor, grad: Tensor | None = None
) -> None:
    """Sums of the losses of a few rows each, to ``partial`` [S, ``blocks(N)``]; ``mean`` adds them up.

    Columns behind the first ``n_classes`` are no classes; 0: all are. The mean loss's gradient by the logits is written
    to ``grad`` if given, [S, N, W], whose rows may be strided; it is zero where there is no class.
    """
    n_seeds, n, w = logits.shape
    out = partial if grad is None else grad
    _cross_entropy[(blocks(n), n_seeds)](
        logits, labels, partial, out, n, n_classes or w, w, blocks(n), out.stride(-2), out.stride(0),
        GRAD=grad is not None, ROWS=ROWS, COLS=triton.next_power_of_2(w),
    )  # fmt: skip


def mean(partial: Tensor, n: int) -> Tensor:
    """[S, ``blocks(n)``] → [S]: their sum by n."""
    means = partial.new_empty(len(partial))
    _mean[(len(partial),)](partial, means, n, BLOCKS=partial.shape[1], ROWS=128)
    return means


def blocks(n: int) -> int:
    """Number of programs for n rows."""
    return triton.cdiv(n, ROWS)
