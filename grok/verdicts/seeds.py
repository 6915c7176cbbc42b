"""The spread of one measure over several seeds, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from grok.verdicts.claim import Claim
from grok.verdicts.number import is_number
from grok.verdicts.verdict import Result

DRAWS = 10_000
LEAST = 5  # values below which a bootstrap interval would mislead: with 3, one resample in 9 has no spread at all


@dataclass(frozen=True)
class Spread:
    """The spread of one measure over n seeds. ``intervals``: 95 % bootstrap; None with fewer than ``LEAST`` values."""

    n: int
    median: float
    low: float
    high: float
    sd: float | None  # None for one value
    median_interval: tuple[float, float] | None
    sd_interval: tuple[float, float] | None


def spread(values: Sequence[float]) -> Spread:
    """Raises ValueError for no values, or one that is not finite. The same values give the same intervals."""
    x = np.asarray(values, dtype=np.float64)
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"expected finite values, got {list(values)}")
    enough = x.size >= LEAST
    return Spread(
        x.size,
        float(np.median(x)),
        float(x.min()),
        float(x.max()),
        float(x.std(ddof=1)) if x.size > 1 else None,
        bootstrap(x, lambda draws: np.median(draws, axis=-1)) if enough else None,
        bootstrap(x, lambda draws: draws.std(axis=-1, ddof=1)) if enough else None,
    )


def bootstrap(
    values: Sequence[float] | np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of a statistic ([draws, n] → [draws]) over resamples with replacement (Efron 1979)."""
    x = np.asarray(values, dtype=np.float64)
    chosen = np.random.default_rng(seed).integers(x.size, size=(DRAWS, x.size))
    low, high = np.quantile(statistic(x[chosen]), [0.025, 0.975])
    return float(low), float(high)


def at_or_below(values: Sequence[float], published: float) -> int:
    """The number of seeds at or below a published figure. 0 or all of them: the figure is outside their range."""
    return sum(value <= published for value in values)


@dataclass(frozen=True)
class Measure:
    """One numeric evidence of a claim over the trained seeds that have it."""

    name: str
    values: tuple[float, ...]
    published: float | None


def measures(claim: Claim) -> list[Measure]:
    """The measures of a claim, in the order in which it records them.

    Evidence that a subject records more than once under one name is left out: it has no single value for each seed.
    """
    values: dict[str, list[float]] = {}
    published: dict[str, float | None] = {}
    repeated: set[str] = set()
    for subject in trained(claim):
        seen: set[str] = set()
        for evidence in subject.evidence:
            name = evidence.name
            repeated |= {name} & seen
            seen.add(name)
            if is_number(evidence.value):
                values.setdefault(name, []).append(evidence.value)
                published[name] = evidence.published if is_number(evidence.published) else None
    return [Measure(name, tuple(v), published[name]) for name, v in values.items() if name not in repeated]


def trained(claim: Claim) -> list[Result]:
    """The subjects that are seeds: neither controls nor checkpoints of the user."""
    return [s for s in claim.subjects if s.role == "trained"]
