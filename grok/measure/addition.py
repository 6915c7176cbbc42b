"""Measures for plain addition only: the error table, the sum in the neurons, frequencies over tokens and logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from grok.measure import regression
from grok.measure.components import linear


def error_table(logits: Tensor, labels: Tensor, p: int) -> Tensor:
    """Predicted minus true sum of each pair: [p², C], [p²] → [p, p], int64.

    Equation: E(a, b) = argmax_c L_c(a, b) - (a + b).
    Source: F (claims F7, F8).
    """
    return rearrange(logits.argmax(1) - labels, "(a b) -> a b", a=p)


@dataclass(frozen=True)
class Line:
    """y ≈ slope · x + intercept."""

    slope: float
    intercept: float
    r2: float


def line(x: Tensor, y: Tensor) -> Line:
    """Least-squares line through points x, y: [n], [n]. R² is 0 if y is constant.

    Equation: slope = Σ (x - x̄)(y - ȳ) / Σ (x - x̄)², intercept = ȳ - slope x̄, R² = 1 - Σ (y - ŷ)² / Σ (y - ȳ)².
    Source: F (claim F10).
    """
    x, y = x.double(), y.double()
    fitted = regression.fit(linear(x[:, None]), y[:, None])
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())
    return Line(slope, float(y.mean() - slope * x.mean()), float(regression.r2(y[:, None], fitted)))


def sum_correlations(activations: Tensor, sums: Tensor) -> Tensor:
    """Pearson correlation of each neuron with the sum over all pairs: [p², m], [p²] → [m]; 0 where a neuron is dead.

    Equation: r_i = ⟨x_i - x̄_i, y - ȳ⟩ / (‖x_i - x̄_i‖ ‖y - ȳ‖), y the sums.
    Source: F (claim F21).
    """
    x = activations - activations.mean(0)
    y = sums.double() - sums.double().mean()
    r = (y @ x) / (x.norm(dim=0) * y.norm()).clamp_min(1e-300)
    return torch.where(regression.live(activations), r, 0.0)


def sum_linearity(activations: Tensor, sums: Tensor) -> Tensor:
    """R² of each live neuron fitted by a line in the sum: [p², m], [p²] → [live neurons].

    Equation: R² of x_i ≈ α_i (a + b) + β_i.
    Source: F (claim F24).
    """
    return regression.r2_of_fit(linear(sums.double()[:, None]), activations)


def probe_r2(activations: Tensor, sums: Tensor) -> float:
    """R² on held-out pairs of a linear probe for the sum: [p², m], [p²].

    The source's probe: scikit-learn's LinearRegression, 30 % of all pairs held out with ``random_state=42``.

    Equation: R² = 1 - Σ (y - ŷ)² / Σ (y - ȳ)² over the held-out pairs, ŷ = post w + b by least squares.
    Source: F (claim F22).
    """
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import train_test_split

    x, x_held, y, y_held = train_test_split(activations.numpy(), sums.numpy(), test_size=0.3, random_state=42)
    return float(LinearRegression().fit(x, y).score(x_held, y_held))


def rfft_powers(matrix: Tensor) -> Tensor:
    """Squared norm of each index of the real FFT down the rows: [n, m] → [n // 2 + 1]; index 0 is the constant.

    Equation: P_k = Σ_j |Σ_t M_tj exp(-2πi k t / n)|².
    Source: F (claims F27, F28).
    """
    return torch.fft.rfft(matrix, dim=0).abs().square().sum(1)


def rebuilt(values: Tensor, n: int) -> Tensor:
    """Values rebuilt from their constant and the n strongest other frequencies of their real FFT: [C] → [C].

    Equation: irfft of rfft(L) with all but index 0 and the n strongest set to zero.
    Source: F (claim F30).
    """
    spectrum = torch.fft.rfft(values)
    strongest = 1 + spectrum[1:].abs().argsort(descending=True)[:n]
    kept = torch.zeros_like(spectrum)
    kept[0], kept[strongest] = spectrum[0], spectrum[strongest]
    return torch.fft.irfft(kept, n=len(values))


def flips(pre: Tensor, ablated: Tensor) -> tuple[int, int]:
    """How many neurons PC2 turns off (they are on only in the ablated model), and how many it turns on: [m], [m].

    Equation: #{i: ablated_i > 0 ≥ pre_i} and #{i: ablated_i ≤ 0 < pre_i}.
    Source: F (claim F29).
    """
    return int(((ablated > 0) & (pre <= 0)).sum()), int(((ablated <= 0) & (pre > 0)).sum())
