"""What the networks of several seeds have in common."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations

from grok.errors import NotEvaluable


def jaccard(one: Collection[int], other: Collection[int]) -> float:
    """|A ∩ B| / |A ∪ B| of two sets of key frequencies, 0 … 1; 1 if both are empty, for then they are equal.

    Equation: |A ∩ B| / |A ∪ B|.
    Source: the definition of the Jaccard index.
    """
    whole = set(one) | set(other)
    return len(set(one) & set(other)) / len(whole) if whole else 1.0


def mean_jaccard(sets: Sequence[Collection[int]]) -> float:
    """Mean Jaccard index over all pairs of seeds, of their key frequencies: 0 if no two share one, 1 if all are equal.

    Two sets drawn at random share some by chance: of n frequencies, sets of m have about m / (2n - m). Chughtai et al.
    2023 (arXiv 2302.03025) call universality weak where seeds share the algorithm but not the frequencies. Raises
    NotEvaluable for fewer than two sets, of which nothing can be said.

    Equation: mean over pairs of |A ∩ B| / |A ∪ B|.
    Source: Chughtai et al. 2023 (arXiv 2302.03025).
    """
    if len(sets) < 2:
        raise NotEvaluable(f"the Jaccard index compares at least two sets of frequencies, got {len(sets)}")
    found = [jaccard(one, other) for one, other in combinations(sets, 2)]
    return sum(found) / len(found)
