"""Shares of the centred two-dimensional spectrum of functions of (a, b): neurons, logits or attention.

All functions here read ``pair_powers``, [h, h, n] with h = (p+1)/2: the powers by frequency of a and frequency of b,
where 0 is the constant. *Centred* means without the entry [0, 0]. A share is a share of the power of all n functions
together, 0 … 1. Where nothing varies over the pairs, ``linear_share``, ``quadratic_share``, their variants and
``kinds`` raise NotEvaluable.

Source: N (claims N2, N6), K (claims K3, K6); Nanda et al. 2023 (arXiv 2301.05217).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from grok.errors import NotEvaluable

CONSTANT = 1e-12  # share of the squared norm; less variance than this is rounding
ROUNDING = 1e-10  # share of the greatest norm; what float64 leaves of zeros differs between machines


def variance(powers: Tensor) -> Tensor:
    """Squared norm of each centred function: [h, h, n] → [n].

    Equation: Σ_{jk} P_jk - P_00.
    """
    return powers.sum((0, 1)) - powers[0, 0]


def varying(powers: Tensor) -> Tensor:
    """Which functions vary over the pairs by more than rounding: [h, h, n] → [n] bool.

    Equation: (centred power) > 1e-12 P_00.
    """
    return variance(powers) > CONSTANT * powers[0, 0]


def _whole(powers: Tensor) -> Tensor:
    """The variance of all functions together."""
    return _some(variance(powers).sum(), powers.sum())


def _some(variance: Tensor, norm: Tensor) -> Tensor:
    """The variance, if it is more than rounding of the squared norm. Raises NotEvaluable otherwise."""
    if variance <= CONSTANT * norm:
        raise NotEvaluable("what is measured is the same for every pair (a, b), so that there are no shares of it")
    return variance


def linear_share(powers: Tensor) -> float:
    """Share of the terms in a alone or b alone.

    Equation: Σ_{k > 0} (P_k0 + P_0k) / (centred power).
    """
    linear = powers[1:, 0].sum() + powers[0, 1:].sum()
    return float(linear / _whole(powers))


def linear_share_of(values: Tensor, p: int) -> float:
    """``linear_share`` computed without the spectrum: [p², n] → 0 … 1.

    By Parseval's theorem the terms in a alone hold the variance of the means over b, and the terms in b alone hold the
    variance of the means over a.

    Equation: (var over a of the mean over b + var over b of the mean over a) / var.
    Source: this project: the fast form, by Parseval's theorem.
    """
    table = rearrange(values, "(a b) n -> a b n", a=p)
    mean = table.mean((0, 1))
    of_a, of_b = ((table.mean(dim) - mean).square().sum() * p for dim in (1, 0))
    return float((of_a + of_b) / _some((values - mean).square().sum(), values.square().sum()))


def quadratic_share(powers: Tensor, frequencies: Sequence[int] | None = None) -> float:
    """Share of the products of one frequency of a with the same frequency of b, for these frequencies (None: all).

    Equation: Σ_k P_kk / (centred power).
    """
    blocks = powers.diagonal().sum(0)  # [h]
    chosen = blocks[1:] if frequencies is None else blocks[list(frequencies)]
    return float(chosen.sum() / _whole(powers))


def quadratic_shares(powers: Tensor) -> Tensor:
    """``quadratic_share`` of each k alone: [h, h, n] → [h - 1], 0 … 1.

    Equation: P_kk / (centred power).
    Source: K (claim K7).
    """
    return powers.diagonal().sum(0)[1:] / _whole(powers)


def kinds(powers: Tensor) -> tuple[float, float, float]:
    """Shares of the linear terms, of the quadratic terms of one frequency, and of products of two; their sum is 1.

    Equation: Σ_k (P_k0 + P_0k), Σ_k P_kk and Σ_{j ≠ k} P_jk with j, k ≥ 1, each / (centred power).
    Source: K (claim K11).
    """
    linear, quadratic = linear_share(powers), quadratic_share(powers)
    return linear, quadratic, 1 - linear - quadratic


def nine_terms(powers: Tensor) -> Tensor:
    """Power on the nine terms {1, cos k, sin k}² of each k, without the constant: [h, h, n] → [h - 1, n].

    Equation: N_k = P_k0 + P_0k + P_kk.
    """
    return powers[1:, 0] + powers[0, 1:] + powers.diagonal().T[1:]


def periodic_share(powers: Tensor, frequencies: Sequence[int]) -> Tensor:
    """Share of each function on the nine terms of these frequencies: [h, h, n] → [n]; 0 for one that does not vary.

    Equation: Σ_{k ∈ K} N_k / (centred power).
    Source: B (claim B5).
    """
    share = nine_terms(powers)[torch.tensor(frequencies) - 1].sum(0) / variance(powers)
    return torch.where(varying(powers), share, 0)


def norms(powers: Tensor) -> Tensor:
    """Norm over all functions of each pair of frequencies, centred: [h, h, n] → [h, h]. Rounding errors become 0.

    Equation: √(Σ_functions P_jk), 0 at j = k = 0.
    """
    summed = powers.sum(-1)
    summed[0, 0] = 0
    norm = summed.sqrt()
    return torch.where(norm > ROUNDING * norm.max(), norm, 0)
