"""AdamW (Loshchilov and Hutter 2019) as torch computes it, in place over flat rows.

w ← w (1 - lr·wd);  m ← m + (1 - β₁)(g - m);  v ← β₂ v + (1 - β₂) g²
w ← w - lr / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + eps)
"""

from __future__ import annotations

import torch
from torch import Tensor


def corrections(steps: int, betas: tuple[float, float]) -> Tensor:
    """1 / (1 - β₁ᵗ) and √(1 - β₂ᵗ) for t = 0 … steps: [steps + 1, 2], float32; row 0 is never used.

    A table, as powers near one lose their digits in float32, and so that no host number enters a captured step.
    """
    t = torch.arange(steps + 1, dtype=torch.float64)
    return torch.stack([1 / (1 - betas[0] ** t), (1 - betas[1] ** t).sqrt()], dim=1).float()


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
    """Update number t = count + 1 of flat weights, both moments and count, in place.

    count: int32, every entry the number of updates so far, at most len(table) - 2.
    """
    count += 1
    first, second = table[int(count[0])].to(flat)
    flat.mul_(1 - lr * weight_decay)
    exp_avg.lerp_(grad, 1 - betas[0])
    exp_avg_sq.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    flat.sub_(lr * first * exp_avg / (exp_avg_sq.sqrt() / second + eps))
