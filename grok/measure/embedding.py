"""The embedding: its spectrum over tokens, its sparsity and its rank."""

from __future__ import annotations

import torch
from torch import Tensor

from grok.fourier.basis import powers


def fourier_norms(matrix: Tensor, dim: int = 0) -> Tensor:
    """Norm of the projection on cos k and sin k along the token axis, k = 1 … (p-1)/2: [(p-1)/2]."""
    return powers(matrix, dim).sqrt()


def gini(values: Tensor) -> float:
    """Gini coefficient of non-negative values: 0 if all are equal, 1 - 1/n if one holds everything.

    Σ_i (2i - n - 1) x_i / (n Σ x) with x ascending, i = 1 … n.
    """
    x = values.double().sort().values
    n = len(x)
    rank = torch.arange(1, n + 1, dtype=torch.float64)
    return float(((2 * rank - n - 1) * x).sum() / (n * x.sum()))
