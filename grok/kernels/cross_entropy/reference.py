"""Mean cross-entropy and its gradient, accurate in float32 down to losses of 1e-12.

The usual log-softmax subtracts two numbers that agree to all digits once the loss is small: in float32 it is
100 % wrong at 2e-7. Written with the wrong classes only,

    loss = log(1 + Σ_{j≠c} exp(l_j - l_c)),    ∂loss/∂l_c = -Σ_{j≠c} P_j,    ∂loss/∂l_j = P_j,

nothing cancels. With m = max(0, max_j(l_j - l_c)) taken out of the exponentials:
loss = m + log1p(Σ_{j≠c} exp(l_j - l_c - m) + expm1(-m)).
"""

from __future__ import annotations

import torch
from torch import Tensor


def losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Loss of every row: [..., N, C], [..., N] → [..., N]. In the dtype of ``logits``; differentiable."""
    index = labels.unsqueeze(-1)
    wrong = (logits - logits.gather(-1, index)).scatter_(-1, index, float("-inf"))
    m = wrong.detach().amax(-1, keepdim=True).clamp_min(0)
    total = wrong.sub_(m).exp_().sum(-1, keepdim=True) + torch.expm1(-m)
    return (m + torch.log1p(total)).squeeze(-1)


def loss_and_grad(logits: Tensor, labels: Tensor, n: int | None = None) -> tuple[Tensor, Tensor]:
    """Mean loss over N and its gradient: [..., N, C] → [...], [..., N, C]. Without autograd.

    Of rows that are a part of n: their share of the mean over all n.
    """
    n = n or logits.shape[-2]
    index = labels.unsqueeze(-1)
    e = logits - logits.gather(-1, index)
    e.scatter_(-1, index, float("-inf"))
    m = e.amax(-1, keepdim=True).clamp_min_(0)
    e.sub_(m).exp_()
    wrong = e.sum(-1, keepdim=True)
    total = wrong + torch.expm1(-m)
    loss = (m + torch.log1p(total)).squeeze(-1).sum(-1) / n
    scale = (1 + total) * n
    grad = e.div_(scale).scatter_(-1, index, -wrong / scale)
    return loss, grad
