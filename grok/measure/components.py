"""Principal components of an embedding or of a readout, and features made from their scores (source F).

Source: F.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from grok.measure import variation

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Components:
    """PCA of the rows of a matrix [n, d], k = min(n, d): matrix = mean + scores @ directions.

    mean: [d]; scores: [n, k]; directions: [k, d], orthonormal rows; ratio: [k], shares of the variance, descending.
    The signs of scores and directions are arbitrary, so no measure may depend on them.
    """

    mean: Tensor
    scores: Tensor
    directions: Tensor
    ratio: Tensor

    def keep(self, which: Sequence[int]) -> Edit:
        """Vectors [..., d] → the mean plus their part along these components (0 is PC1).

        Equation: as ``keep``, v_i = these directions.
        """
        return keep(self.mean, self.directions[list(which)])

    def remove(self, which: Sequence[int]) -> Edit:
        """Vectors [..., d] → without their part along these components.

        Equation: as ``remove``, v_i = these directions.
        """
        return remove(self.mean, self.directions[list(which)])


def pca(matrix: Tensor) -> Components:
    """Components of the rows of a matrix [n, d], float64, centred over the n rows.

    Raises NotEvaluable if all rows are the same.

    Equation: M - mean = U S Vᵀ; scores U S, directions Vᵀ, ratio_i = S_i² / Σ S².
    """
    mean = matrix.mean(0)
    u, s, v = torch.linalg.svd(matrix - mean, full_matrices=False)
    reason = "all rows are the same, so that there are no principal components"
    variation.require(s.square().sum(), matrix.square().sum(), reason)
    return Components(mean, u * s, v, s.square() / s.square().sum())


def keep(mean: Tensor, directions: Tensor) -> Edit:
    """x → mean + Σ_i ⟨x - mean, v_i⟩ v_i for orthonormal rows v_i [r, d].

    Equation: x → mean + Σ_i ⟨x - mean, v_i⟩ v_i.
    """
    return lambda x: mean + (x - mean) @ directions.T @ directions


def remove(mean: Tensor, directions: Tensor) -> Edit:
    """x → x - Σ_i ⟨x - mean, v_i⟩ v_i for orthonormal rows v_i [r, d].

    Equation: x → x - Σ_i ⟨x - mean, v_i⟩ v_i.
    """
    return lambda x: x - (x - mean) @ directions.T @ directions


def pair_scores(components: Components, pairs: Tensor) -> Tensor:
    """PC1(a), PC1(b), PC2(a), PC2(b) of each pair: [p², 2] → [p², 4].

    Equation: (u_1(a), u_1(b), u_2(a), u_2(b)), u_i the scores on PC i.
    """
    return rearrange(components.scores[pairs, :2], "pair number pc -> pair (pc number)")


def linear(features: Tensor) -> Tensor:
    """An intercept and the features themselves: [n, f] → [n, 1 + f].

    Equation: (1, x_1, …, x_f).
    """
    return torch.cat([features.new_ones(len(features), 1), features], dim=1)


def poly2(features: Tensor) -> Tensor:
    """All monomials up to degree 2, with intercept: [n, f] → [n, 1 + f + f (f + 1) / 2].

    Equation: (1, x_i, x_i x_j) with i ≤ j.
    """
    i, j = torch.triu_indices(features.shape[1], features.shape[1])
    return torch.cat([linear(features), features[:, i] * features[:, j]], dim=1)


def symmetric(scores: Tensor) -> Tensor:
    """Intercept and the five features of source F that treat a and b alike: [n, 4] → [n, 6].

    With u = PC1(a) + PC1(b) and v = PC2(a) + PC2(b): u, v, u², v², u v.

    Equation: (1, u, v, u², u v, v²) with u = PC1(a) + PC1(b), v = PC2(a) + PC2(b).
    """
    return poly2(rearrange(scores, "pair (pc number) -> pair pc number", number=2).sum(2))
