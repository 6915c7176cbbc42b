"""What a handful of seeds says: spread with bootstrap intervals, and which runs did not grok."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grok.recipe import Recipe
from grok.sweep.table import row

DRAWS = 10_000
LEAST = 5  # values below which a bootstrap interval would mislead: with 3, one resample in 9 has no spread at all


@dataclass(frozen=True)
class Spread:
    """Of one measure over n seeds. ``intervals``: 95 % bootstrap; None with fewer than ``LEAST`` values."""

    n: int
    median: float
    low: float
    high: float
    sd: float | None  # None for one value
    median_interval: tuple[float, float] | None
    sd_interval: tuple[float, float] | None


def spread(values: Sequence[float]) -> Spread:
    """Raises ValueError for no values, or one that is not finite."""
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
    """How many seeds are at or below a published figure: 0 or all of them mean that it lies at or beyond the range."""
    return sum(value <= published for value in values)


@dataclass(frozen=True)
class Runs:
    """The seeds of one recipe that ship as fixtures, rows as in a sweep's table, by seed."""

    recipe: str
    rows: tuple[dict[str, Any], ...]

    @property
    def not_grokked(self) -> list[int]:
        """Seeds whose final test loss is not below the threshold; counted and named, never left out."""
        return [r["seed"] for r in self.rows if not r["grokked"]]

    def column(self, name: str) -> list[float]:
        """The values that there are: a run that did not grok has no steps to grok."""
        return [r[name] for r in self.rows if r.get(name) is not None]


def read_runs(fixtures: Path) -> list[Runs]:
    """Every recipe's runs below ``fixtures/<recipe>/seed<N>``."""
    out = []
    for folder in sorted(path for path in fixtures.iterdir() if path.is_dir()):
        cards = [(path.parent, json.loads(path.read_text())) for path in folder.glob("seed*/card.json")]
        rows = [row(path, Recipe.from_json(card["recipe"])) for path, card in cards]
        if rows:
            out.append(Runs(folder.name, tuple(sorted(rows, key=lambda r: r["seed"]))))
    return out
