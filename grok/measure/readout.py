"""The readout U [d_mlp, p], neurons → logits: what it holds beside K, and how evenly it uses all frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from grok.fourier.basis import Blocks, powers
from grok.measure.variation import ROUNDING


@dataclass(frozen=True)
class Rest:
    """What is left of U beside K: ‖rest‖ / ‖U‖ and its square, each 0 … 1."""

    norm: float
    square: float


def rest_of_readout(U: Tensor, key_frequencies: Sequence[int], blocks: Blocks | None = None) -> Rest:
    """What is left of U, centred over the classes, without its projection on the 2|K| directions of K.

    ‖rest‖² = Σ_{k ∉ K} power of k in U over the classes, and ‖U‖² = Σ_k power of k: the constant is in neither. The
    source (Nanda et al. 2023) says that the rest is "less than 0.55 % of the norm". Its figure fits the square.
    U: [d_mlp, p]. Both are 1 if U does not vary over the classes: then nothing of it is on K.

    Equation: square = Σ_{k ∉ K} power of k / Σ_k power of k, norm = √square.
    Source: Nanda et al. 2023 (arXiv 2301.05217).
    """
    power = powers(U, 1, blocks)
    others = [k for k in range(len(power)) if k + 1 not in key_frequencies]
    whole = float(power.sum())
    varies = whole > ROUNDING * float(U.square().sum())
    square = float(power[others].sum()) / whole if varies else 1.0  # summed, for 1 - share loses the digits
    return Rest(math.sqrt(square), square)


def evenness(U: Tensor, blocks: Blocks | None = None) -> float:
    """Least over greatest power of U [d_mlp, p] among all (p-1)/2 frequencies: 1 if all are equal, 0 if one is unused.

    Morwani et al. 2023 (arXiv 2311.07568) prove for quadratic neurons that the margin is greatest where every frequency
    is used. It is 0 if U does not vary over the classes.

    Equation: min_k power of k / max_k power of k.
    Source: Morwani et al. 2023 (arXiv 2311.07568).
    """
    power = powers(U, 1, blocks)
    varies = float(power.max()) > ROUNDING * float(U.square().sum())
    return float(power.min() / power.max()) if varies else 0.0
