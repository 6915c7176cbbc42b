"""Least squares of many columns at once, and how well each is fitted."""

from __future__ import annotations

import torch
from torch import Tensor

from grok.measure import variation

DEAD = 1e-9  # source F leaves out columns whose standard deviation is smaller


def fit(features: Tensor, targets: Tensor) -> Tensor:
    """Least-squares prediction of every column of the targets from the same features: [n, f], [n, m] → [n, m].

    One call for all columns. The features need an intercept column of their own and may be collinear.

    Equation: X β, β = argmin ‖Y - X β‖².
    Source: F; the definition of least squares.
    """
    # gelsd works at any rank. If PC2 is a parabola of PC1, it is a combination of 1, PC1 and PC1², so the features of
    # ``components.poly2`` do not have full rank.
    return features @ torch.linalg.lstsq(features, targets, driver="gelsd").solution


def live(columns: Tensor) -> Tensor:
    """Which columns vary: [n, m] → [m] bool. A neuron that never fires has no R².

    Equation: std(column) > 1e-9.
    Source: F, which leaves out the other columns.
    """
    return columns.std(0, correction=0) > DEAD


def r2(targets: Tensor, predicted: Tensor) -> Tensor:
    """R² of each live column: [n, m], [n, m] → [live columns], 1 - residual over variance.

    If no column varies, the result is one column with an R² of 0.

    Equation: 1 - Σ (y - ŷ)² / Σ (y - ȳ)².
    Source: F; the definition of R².
    """
    columns = live(targets)
    if not columns.any():
        return targets.new_zeros(1)
    y = targets[:, columns]
    return 1 - (y - predicted[:, columns]).square().sum(0) / (y - y.mean(0)).square().sum(0)


def r2_of_fit(features: Tensor, targets: Tensor) -> Tensor:
    """R² of the least-squares fit of each live column: [n, f], [n, m] → [live columns]. See ``fit``, ``r2``.

    Equation: 1 - Σ (y - ŷ)² / Σ (y - ȳ)², ŷ by ``fit``.
    Source: F.
    """
    return r2(targets, fit(features, targets))


def r2_overall(targets: Tensor, predicted: Tensor) -> float:
    """R² of a whole table of logits against its one overall mean (source F's "overall R²"): [n, m], [n, m].

    Raises NotEvaluable if all targets are the same number.

    Equation: 1 - Σ_ij (Y - Ŷ)² / Σ_ij (Y - mean of Y)².
    Source: F (claims F17, F18).
    """
    centred = (targets - targets.mean()).square().sum()
    variation.require(centred, targets.square().sum(), "every logit is the same number")
    return float(1 - (targets - predicted).square().sum() / centred)
