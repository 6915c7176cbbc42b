"""logits = direct + relu(pre) U, and its gradients. Every tensor has a leading seed dimension."""

from __future__ import annotations

import torch
from torch import Tensor


def relu_readout(pre: Tensor, unembedding: Tensor, direct: Tensor | None = None) -> Tensor:
    """[S, N, m], [S, m, C], [S, N, C] or None → [S, N, C]. Differentiable."""
    logits = pre.relu() @ unembedding
    return logits if direct is None else logits + direct


def relu_readout_backward(dlogits: Tensor, pre: Tensor, unembedding: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients by ``pre`` [S, N, m] and ``unembedding`` [S, m, C]; that by ``direct`` is ``dlogits``."""
    dpre = torch.where(pre > 0, dlogits @ unembedding.mT, 0)
    return dpre, pre.relu().mT @ dlogits
