"""Running error analysis: what rounding can do to a result, whatever the order of additions, fused or not.

One rounding multiplies by 1 + δ, |δ| ≤ u: u = 2⁻²⁴ in float32, 2⁻⁵³ in float64. Where a term of a sum passes through n
roundings, it is off by at most the factor γ_n = n u / (1 - n u) (Higham, *Accuracy and Stability of Numerical
Algorithms*, 2002, lemma 3.1). A sum of n products has at most n roundings a term in every order, sequential, pairwise
or in chunks; a fused multiply-add has fewer.

Of each activation two things are known: ``value``, as float64 evaluates it here, and ``error``, with the invariant

    |float32 - exact| + |value - exact| ≤ error,

so that ``error`` covers float64's own rounding too, which is at most 2⁻²⁸ of it. The rules below keep the invariant:
the float32 value is at most |value| + error, and both roundings together are at most γ_n(2⁻²⁴) + γ_n(2⁻⁵³), which is
``gamma``.

Errors are sums of products of non-negative numbers, themselves computed in float64. Each of their roundings loses at
most the factor 1 - 2⁻⁵³, and no path through a network has 2²² of them (``gamma`` refuses longer sums): together they
lose less than 2⁻³⁰. What is computed times ``INFLATION`` = 1 + 2⁻²⁰ is therefore not below the true bound; the rest
of the room is for ``softmax_error``. ``bounds.logit_bounds`` multiplies by it.

Source: Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, lemma 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from grok.errors import NotEvaluable

U32, U64 = 2.0**-24, 2.0**-53
INFLATION = 1 + 2.0**-20
LONGEST = 1 << 19  # eight such sums on end are 2²² roundings
FLUSH = 2.0**-124  # two results flushed to zero below 2⁻¹²⁶, and the roundings of what they lose
OVERFLOW = 2.0**103  # an error is at least u times the partial sums: if it is less, they are below 2¹²⁷
EXP_ULP = 2
SOFTMAX = 2 * 2 * EXP_ULP + 2 + 2  # an ulp is at most 2u; two exponentials, two additions, a reciprocal, a product


@dataclass(frozen=True, eq=False)
class Rounded:
    """An activation: value, as float64 has it, and error ≥ |float32 - exact| + |value - exact|, of one shape."""

    value: Tensor
    error: Tensor

    @property
    def magnitude(self) -> Tensor:
        """No float32 evaluation is greater: |value| + error."""
        return self.value.abs() + self.error


def gamma(n: int) -> float:
    """γ_n of float32 plus γ_n of float64. Raises NotEvaluable for sums so long that ``INFLATION`` would not do.

    Equation: γ_n = n u / (1 - n u), for u = 2⁻²⁴ plus for u = 2⁻⁵³.
    """
    if n > LONGEST:
        raise NotEvaluable(f"a sum of {n:,} terms is longer than the error analysis covers ({LONGEST:,})")
    return sum(n * u / (1 - n * u) for u in (U32, U64))


def flush(n: int) -> float:
    """What n products and n additions lose where results below float32's normal numbers become zero.

    Equation: n 2⁻¹²⁴.
    """
    return n * FLUSH


def carried(x: Rounded, n: int) -> Tensor:
    """The error of x, and that of n roundings of each term in which it stands: error + γ_n (|value| + error).

    Equation: error + γ_n (|value| + error).
    """
    return x.error + gamma(n) * x.magnitude


def total(x: Tensor, y: Tensor) -> Rounded:
    """x + y of exact x and y: one rounding.

    Equation: error = γ_1 |x + y| + flush(1).
    """
    value = x + y
    return Rounded(value, gamma(1) * value.abs() + flush(1))


def product(x: Rounded, y: Rounded, equation: str, n: int) -> Tensor:
    """The error of Σ x y, ``equation`` as in einsum, with n roundings a term.

    x̂ŷ - xy = (x̂ - x) ŷ + x (ŷ - y), so: (error_x + γ_n |x̂|) |ŷ| + |x| error_y.

    Equation: Σ (error_x + γ_n |x̂|) |ŷ| + |x| error_y.
    """
    found = torch.einsum(equation, carried(x, n), y.magnitude) + torch.einsum(equation, x.value.abs(), y.error)
    return bounded(found + flush(n))


def affine_error(x: Rounded, matrix: Tensor, bias: Tensor) -> Tensor:
    """The error of x W + b: (error_x + γ_n |x̂|) |W| + γ_n |b|, n = fan-in + 1: [*, in], [in, out], [out] → [*, out].

    Equation: (error_x + γ_n |x̂|) |W| + γ_n |b|.
    """
    n = len(matrix) + 1
    return bounded(carried(x, n) @ matrix.abs() + gamma(n) * bias.abs() + flush(n))


def affine(x: Rounded, matrix: Tensor, bias: Tensor) -> Rounded:
    """x W + b.

    Equation: value = x W + b, error by ``affine_error``.
    """
    return Rounded(x.value @ matrix + bias, affine_error(x, matrix, bias))


def softmax_error(scores: Rounded, weights: Tensor) -> Tensor:
    """The error of softmax over the last axis; weights: its float64 value.

    Softmax does not change if one number is taken from all scores, so the greatest may itself be off; what counts is
    Δ_i = error_i + u |s_i - max s|, the second for the subtraction. A weight's logarithm then moves by at most
    L = Δ_i + max_j Δ_j + γ for two exponentials of 2 ulp, the sum and the division. (Float32 and float64 have a
    greatest Δ each, perhaps not of the same j. Float64's is at most 2⁻²⁸ of Δ, which ``INFLATION`` covers.) With
    A ≤ weight · e^L that is |Â - A| + |weight - A| ≤ weight · e^L (e^L - 1). Beyond L = 1 nothing is claimed but that
    weights lie in 0 … 1, to rounding.

    Equation: weight e^L (e^L - 1), L = Δ_i + max_j Δ_j + γ.
    Source: this project.
    """
    most = scores.error.amax(-1, keepdim=True)
    distance = scores.value.amax(-1, keepdim=True) - scores.value + 2 * most
    moved = scores.error + gamma(1) * distance
    log = moved + moved.amax(-1, keepdim=True) + gamma(SOFTMAX)
    return torch.where(log < 1, weights * log.exp() * log.expm1(), 3.0) + FLUSH


def bounded(error: Tensor) -> Tensor:
    """The same. Raises NotEvaluable if float32 may overflow on the way to this activation.

    Equation: error < 2¹⁰³, or NotEvaluable.
    Source: this project.
    """
    if not bool((error < OVERFLOW).all()):
        raise NotEvaluable("an activation may be too large for float32")
    return error
