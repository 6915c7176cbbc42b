"""Matrices over tokens: their spectrum, its sparsity, and their rank.

A frequency is the number of a block (``fourier.basis.Blocks``). The default is the blocks of Z_p, where p is the length
of the token axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import Blocks, cyclic, powers

TINY = 1e-300  # avoids 0 / 0 for a zero matrix; the share is then 0


def fourier_norms(matrix: Tensor, dim: int = 0, blocks: Blocks | None = None) -> Tensor:
    """Norm of the projection on each block (cos k and sin k) along the token axis: [number of frequencies].

    Equation: ‖P_k M‖, P_k the projection on cos w_k t and sin w_k t: √(power of k).
    Source: K (claim K5), B (claim B8), N (claim N3), S (claims S6, S8); Nanda et al. 2023 (arXiv 2301.05217).
    """
    return powers(matrix, dim, blocks).sqrt()


def power_on(matrix: Tensor, frequencies: Sequence[int], blocks: Blocks | None = None) -> float:
    """Share of the squared norm of a matrix over tokens, [p, n], on these frequencies, 0 … 1; 0 if the matrix is zero.

    The squared norm of the whole matrix includes the constant over tokens.

    Equation: Σ_{k ∈ K} power of k in M / ‖M‖².
    Source: B (claims B6, B8), K (claim K12), S (claim S6).
    """
    on = powers(matrix, 0, blocks)[torch.tensor(frequencies) - 1].sum()
    return float(on / matrix.square().sum().clamp_min(TINY))


def column_power_on(matrix: Tensor, frequencies: Sequence[int], blocks: Blocks | None = None) -> Tensor:
    """``power_on`` of each column: [p, n] → [n].

    Equation: Σ_{k ∈ K} power of k in column j / ‖M_j‖².
    Source: B (claims B7, B9).
    """
    blocks = blocks or cyclic(len(matrix))
    waves = blocks.basis[blocks.rows(frequencies)]
    return (waves @ matrix).square().sum(0) / matrix.square().sum(0).clamp_min(TINY)


def strongest(matrix: Tensor, n: int) -> tuple[int, ...]:
    """The n frequencies of the greatest power over tokens, ascending.

    Equation: the n greatest k by power of k in M.
    Source: K (claim K12).
    """
    return tuple(sorted((powers(matrix).topk(n).indices + 1).tolist()))


def gini(values: Tensor) -> float:
    """Gini coefficient of non-negative values: 0 if all are equal (or zero), 1 - 1/n if only one is not zero.

    Σ_i (2i - n - 1) x_i / (n Σ x) with x ascending, i = 1 … n.

    Equation: Σ_i (2i - n - 1) x_i / (n Σ x).
    Source: B (claim B8); Nanda et al. 2023, progress measures.
    """
    x = values.double().sort().values
    n = len(x)
    rank = torch.arange(1, n + 1, dtype=torch.float64)
    return float(((2 * rank - n - 1) * x).sum() / (n * x.sum()).clamp_min(TINY))


def top_share(matrix: Tensor, n: int) -> float:
    """Share of the n greatest squared singular values, 0 … 1. Raises NotEvaluable if the matrix is zero.

    Equation: Σ_{i ≤ n} σ_i² / Σ σ_i².
    Source: N (claim N1), S (claim S5).
    """
    return float(squared_shares(matrix)[:n].sum())


def squared_shares(matrix: Tensor) -> Tensor:
    """Squared singular values over their sum, descending: [p, n] → [min(p, n)], 0 … 1.

    Raises NotEvaluable if the matrix is zero.

    Equation: σ_i² / Σ σ_i².
    Source: N (claim N1), S (claim S5).
    """
    squares = torch.linalg.svdvals(matrix).square()
    if squares[0] == 0:
        raise NotEvaluable("the matrix is zero, so that there are no shares of its singular values")
    return squares / squares.sum()


def gaussian_top_share(matrix: Tensor, n: int, seed: int = 0) -> float:
    """``top_share`` of a standard normal matrix of the same shape, from a fixed seed.

    Equation: as ``top_share``, of G with entries from N(0, 1).
    Source: N (claim N1), S (claim S5).
    """
    return top_share(gaussian_like(matrix, seed), n)


def gaussian_like(matrix: Tensor, seed: int = 0) -> Tensor:
    """A standard normal matrix of the same shape, float64, from a fixed seed.

    Equation: G_ij from N(0, 1).
    Source: N (claim N1), S (claim S5).
    """
    return torch.randn(matrix.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
