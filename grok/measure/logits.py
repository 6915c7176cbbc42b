"""Logits on all pairs, and the formula Σ_K α_k cos w_k(s - c) that the sources claim for them, w_k = 2πk / p.

L are the logits, [p², p]. The label of a pair is s = (a ± b) mod p, [p²]. A *cube* is the array cos w_k(s - c) over a,
b and c. The dot product of L with a cube can be computed without the cube: the rows of L are added by s, then the
diagonals r = s - c of that p × p table are added, and one cosine transform of length p gives all k at once. The squared
norm of each cube is p³/2, and the cubes are orthogonal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.basis import Blocks, basis
from grok.measure import variation

EQUAL = "for every pair the logits of all classes are equal"


def sums_by_label(values: Tensor, labels: Tensor, p: int) -> Tensor:
    """Sum over the pairs of each label s: [p², ...] → [p, ...], float64.

    Equation: T[s] = Σ_{(a, b): a ± b = s} v(a, b).
    Source: this project: the fast form of the cosine projections.
    """
    return values.new_zeros(p, *values.shape[1:], dtype=torch.float64).index_add_(0, labels, values.double())


def cosine_projections(logits: Tensor, labels: Tensor) -> Tensor:
    """Dot products of L with the cubes cos w_k(s - c) scaled to norm one, k = 1 … (p-1)/2: [p², p] → [(p-1)/2].

    Equation: ⟨L, C_k⟩ / ‖C_k‖ with C_k(a, b, c) = cos w_k(s - c), ‖C_k‖² = p³/2.
    Source: S, section 4.2.2.
    """
    table = sums_by_label(logits, labels, logits.shape[1])
    p = len(table)
    diagonals = torch.cat([table, table]).as_strided((p, p), (p, p + 1)).sum(1)  # [r]: Σ_c table[r + c mod p, c]
    # A unit cosine of the basis has norm one over r; each r stands for p² entries of the cube.
    return basis(p)[1::2] @ diagonals / p


def character_projections(table: Tensor, blocks: Blocks) -> Tensor:
    """Dot products of L, given as its sums by s [n, n], with the cubes χ_k(s c⁻¹) scaled to norm one, k = 1 …

    One for each block but the constant. The cube of a block with the basis B_k, [size, n], is B_kᵀ B_k at (s, c), of
    squared norm n · size over all pairs and classes. For Z_p they are those of ``cosine_projections``.

    Equation: ⟨L, C_k⟩ / ‖C_k‖ with C_k(a, b, c) = χ_k(s c⁻¹), from Σ_{s, c} T[s, c] (B_kᵀ B_k)[s, c] / √(n · size).
    Source: Chughtai et al. 2023 (arXiv 2302.03025).
    """
    dots = blocks.summed((blocks.basis @ table * blocks.basis).sum(1))
    return (dots / torch.tensor(blocks.sizes).double().mul(len(table)).sqrt())[1:]


def cosine_similarities(logits: Tensor, labels: Tensor) -> Tensor:
    """Cosine of the angle between L, not centred, and each cube: [(p-1)/2], -1 … 1. Raises NotEvaluable if L is zero.

    Equation: ⟨L, C_k⟩ / (‖L‖ ‖C_k‖).
    Source: S, section 4.2.2.
    """
    return cosine_projections(logits, labels) / _norm(logits)


def mean_by_offset(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over all pairs of the logit of class s - r, centred over r: [p², p] → [p], r = 0 … p-1.

    It is what L has in common with a function of s - c, as the formula is; r = 0 is the right answer.

    Equation: mean_{a, b} L_{s - r}(a, b), less its mean over r.
    Source: N (claim N7).
    """
    p = logits.shape[1]
    s = torch.arange(p)
    by_r = sums_by_label(logits, labels, p).gather(1, (s[:, None] - s) % p).mean(0) / p
    return by_r - by_r.mean()


def at(values: Tensor, key_frequencies: Sequence[int]) -> Tensor:
    """The entries of the frequencies K in a list that starts with k = 1: [(p-1)/2] → [|K|].

    Equation: (v_k) for k in K.
    Source: this project: it selects.
    """
    return values[torch.tensor(key_frequencies) - 1]


@dataclass(frozen=True, eq=False)
class Formula:
    """The fit of Σ_K α_k cos w_k(s - c) to L, with α by projection.

    alpha: [|K|]. table: [p, p] over (s, c); the formula's logits are ``table[labels]``.
    fve: fraction of variance explained, the share of the squared norm of L that the formula explains, 0 … 1. L is
    centred over c for each pair. (A constant per pair does not change a softmax, and the formula has none.)
    fve_uncentred: the same for L without centring.
    """

    alpha: Tensor
    table: Tensor
    fve: float
    fve_uncentred: float

    @property
    def rest(self) -> float:
        """‖L - formula‖ / ‖L‖, not centred (source S, section 4.2.2), 0 … 1."""
        return math.sqrt(1 - self.fve_uncentred)


def formula(logits: Tensor, labels: Tensor, key_frequencies: Sequence[int]) -> Formula:
    """Fit the formula to L: [p², p]. Raises NotEvaluable if for every pair the logits of all classes are equal.

    Equation: L ≈ Σ_K α_k cos w_k(s - c), α_k = ⟨L, C_k⟩ / ‖C_k‖²; FVE = Σ_K ⟨L, C_k⟩² / ‖C_k‖² / ‖L‖² with L
        centred over c in the norm.
    Source: K, N (claim N7), S (section 4.2.2); Nanda et al. 2023 (arXiv 2301.05217).
    """
    p = logits.shape[1]
    projections = at(cosine_projections(logits, labels), key_frequencies)
    explained = projections.square().sum()
    centred, whole = (logits - logits.mean(1, keepdim=True)).square().sum(), logits.square().sum()
    variation.require(centred, whole, EQUAL)
    alpha = projections * math.sqrt(2 / p**3)
    waves = basis(p)[1::2][torch.tensor(key_frequencies) - 1] * math.sqrt(p / 2)  # [|K|, r], amplitude one
    c = torch.arange(p)
    table = (alpha @ waves)[(c[:, None] - c[None]) % p]
    return Formula(alpha, table, float(explained / centred), float(explained / whole))


def gaussian_alignments(logits: Tensor, draws: int = 20, seed: int = 0) -> Tensor:
    """Cosine of the angle between L and Gaussian cubes from a fixed seed: [draws], -1 … 1; their spread is 1/√(p³).

    Raises NotEvaluable if L is zero.

    Equation: ⟨L, G⟩ / (‖L‖ ‖G‖), G with entries from N(0, 1).
    Source: S (claim S11).
    """
    cubes = _gaussian_cubes(tuple(logits.shape), draws, seed)
    return torch.stack([(logits * cube).sum() for cube in cubes]).double() / (_norms(cubes) * _norm(logits))


def _norm(logits: Tensor) -> Tensor:
    if not logits.any():
        raise NotEvaluable("every logit is zero")
    return logits.double().norm()


@lru_cache(maxsize=1)  # the same for every network: drawing them takes longer than all the rest
def _gaussian_cubes(shape: tuple[int, ...], draws: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(shape, generator=generator) for _ in range(draws)])


def _norms(cubes: Tensor) -> Tensor:
    return torch.linalg.vector_norm(cubes, dim=(1, 2), dtype=torch.float64)
