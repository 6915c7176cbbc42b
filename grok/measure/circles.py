"""The circles of an embedding: how pure they are, how many there are, which belong together, what each can do alone.

A circle is the part of W_E on cos w_k t and sin w_k t over the numbers t, w_k = 2πk/p. In a pizza a circle is blind
where a and b lie across it from each other, and a second circle of twice the frequency sees those pairs best: its
midpoint is at the angle w_2k (a + b) / 2 = w_k (a + b), and is longest where w_k (a - b) is a half turn. Zhong et al.
call the second circle the accompanying pizza of the first.

Source: Zhong et al. 2023 (arXiv 2306.17844).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import powers
from grok.measure import clock_pizza
from grok.measure.components import pca
from grok.measure.embedding import TINY
from grok.models.network import Network

COMPONENTS = 4
ROUNDING = 1e-9  # of the greatest norm of a component


def circularity(W_E: Tensor, n: int = COMPONENTS) -> float:
    """Z4. Mean over the first n principal components of how much of each is one frequency: [p, d] → 0 … 1.

        (1/n) Σ_i max_k 2 |Σ_t u_i(t) exp(2πi k t / p)|² / p,    u_i: scores of the tokens on PC i, of norm one

    The embedding is centred over the tokens. 1: each component is a wave of one frequency. A component that the
    embedding does not have counts as 0. The source's Definition B.1; it calls 0.995 and more circular.
    Raises NotEvaluable for an even p, and if all rows of the embedding are the same.

    Equation: (1/n) Σ_i max_k 2 |Σ_t u_i(t) exp(2πi k t / p)|² / p.
    """
    if len(W_E) % 2 == 0:
        raise NotEvaluable(f"frequencies are defined for an odd number of elements, there are {len(W_E)}")
    scores = pca(W_E).scores[:, :n]
    norms = scores.norm(dim=0)
    units = (scores / norms)[:, norms > ROUNDING * norms.max()]
    return sum(float(powers(u[:, None]).max()) for u in units.T) / n


def strongest_holding(W_E: Tensor, share: float) -> int:
    """How many of the strongest frequencies hold this share of the power of W_E, [p, d], centred over the numbers.

    Equation: least n with Σ_{i ≤ n} power of k_i ≥ share · Σ_k power of k, powers descending.
    Source: this project, for Z5.
    """
    power = powers(W_E).sort(descending=True).values
    held = power.cumsum(0) / power.sum().clamp_min(TINY)
    return int((held < share).sum()) + 1


def doubled(frequency: int, p: int) -> int:
    """The frequency of the waves cos 2 w_k t, as one of 1 … (p-1)/2.

    Equation: min(2k mod p, -2k mod p).
    Source: the folding of frequencies modulo p.
    """
    return min(2 * frequency % p, -2 * frequency % p)


def companions(W_E: Tensor, key_frequencies: Sequence[int]) -> dict[int, float]:
    """Power of W_E, [p, d], on the circle of twice the frequency over that on k: k → number ≥ 0.

    Equation: power of 2k / power of k, for each k in K.
    Source: this project, for the accompanying pizzas of Zhong et al. 2023 (arXiv 2306.17844).
    """
    power = powers(W_E)
    return {k: float(power[doubled(k, len(W_E)) - 1] / power[k - 1].clamp_min(TINY)) for k in key_frequencies}


@dataclass(frozen=True)
class Alone:
    """Accuracies, 0 … 1, of a network of whose embedding one circle is left.

    accuracy: on all pairs. across, beside: on the pairs of about a quarter of the distances, those at which a and b are
    most nearly across the circle from each other, and those at which they are nearest to each other: 2 ⌊p/8⌋, and one
    more for a = b.
    """

    frequency: int
    accuracy: float
    across: float
    beside: float


def alone(model: Network, frequency: int) -> Alone:
    """What one circle can do. Raises NotEvaluable for tasks other than addition and subtraction modulo an odd p.

    Equation: mean of [argmax_c L_c(s, d) = s] over s and the d of least, or greatest, |cos(w_k d / 2)|.
    """
    p = model.task.p
    right = clock_pizza.logits_of_circle(model, frequency).argmax(2) == torch.arange(p)[:, None]
    by_distance = right.double().mean(0)
    half, n = torch.arange(1, (p + 1) // 2), max(1, p // 8)  # d and -d are equally far
    order = half[(math.pi * frequency / p * half).cos().abs().argsort()]
    across, beside = torch.cat([order[:n], -order[:n]]), torch.cat([order[-n:], -order[-n:], torch.zeros(1).long()])
    parts = by_distance, by_distance[across], by_distance[beside]
    return Alone(frequency, *(float(part.mean()) for part in parts))
