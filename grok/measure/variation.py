"""Where a measure is a share of some variation, and there is none."""

from __future__ import annotations

from torch import Tensor

from grok.errors import NotEvaluable

ROUNDING = 1e-20  # share of the squared norm, in float64: less variation than this is rounding


def require(variation: Tensor, squared_norm: Tensor, reason: str) -> None:
    """Raises NotEvaluable for this reason if the variation is zero, or no more than rounding of the squared norm.

    Equation: variation > 1e-20 squared_norm, or it is raised.
    Source: a convention of this project: float64 rounds a number by 1e-16 of it, its square by 1e-32.
    """
    if variation <= ROUNDING * squared_norm:
        raise NotEvaluable(reason)
