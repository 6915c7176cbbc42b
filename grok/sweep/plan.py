"""The runs of a sweep and their batches. No function here computes a run or uses a disk."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grok.errors import GrokError
from grok.recipe import Recipe
from grok.train import fields

CLAIMS_TOGETHER = 8  # runs judged by one process: its start takes as long as the claims on several of them


def digest(recipe: Recipe) -> str:
    """The address of a run: sha256 of its recipe with both seeds as canonical JSON, the first 16 hex digits.

    Device, engine and versions are not part of it: they change a result by rounding, and its card names them.
    16 digits: 10⁵ runs collide with probability 3e-10.
    """
    canonical = json.dumps(recipe.to_json(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def seeds(text: str) -> list[int]:
    """``"0-3,8"`` → [0, 1, 2, 3, 8]. Raises GrokError for anything else, and for a seed given twice."""
    out: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise GrokError(
                f"--seeds {text}: {part!r} is not a seed or a range; expected something like 0-31 or 0,3,7-9"
            )
        out += range(int(first), int(last or first) + 1)
    if len(set(out)) < len(out):
        raise GrokError(f"--seeds {text}: a seed is given twice")
    return out


def grid(recipe: Recipe, settings: Sequence[str]) -> list[Recipe]:
    """The recipe at every combination of ``["weight_decay=0.3,1", "train_frac=0.2,0.3"]``; the last varies fastest.

    The name stays: the recipe in the card and in the table says what was changed. Raises GrokError.
    """
    axes = fields.parse(settings)
    return [fields.changed(recipe, dict(zip(axes, point, strict=True))) for point in itertools.product(*axes.values())]


def runs(recipe: Recipe, settings: Sequence[str], seed_list: Iterable[int]) -> list[Recipe]:
    """Every run once, grid point by grid point, seeds in the given order."""
    every = [point.with_seed(seed) for point in grid(recipe, settings) for seed in seed_list]
    return list({digest(run): run for run in every}.values())


def without_seeds(recipe: Recipe) -> Recipe:
    """What runs of one batch, or of one grid point, have in common."""
    return replace(recipe, seed=0, split_seed=0)


@dataclass(frozen=True)
class Batch:
    """Runs that differ only in their seeds. They are trained together or, with ``claims``, judged together."""

    runs: tuple[Recipe, ...]
    attempts: int = 0  # how often it was lost so far
    claims: Path | None = None  # file or folder of the claims to evaluate on these runs, which are finished

    def retried(self) -> Batch:
        return replace(self, attempts=self.attempts + 1)

    def singles(self) -> list[Batch]:
        return [Batch((run,)) for run in self.runs]


def batches(missing: Sequence[Recipe], begun: Iterable[Sequence[Recipe]], size: int) -> list[Batch]:
    """Missing runs in batches of at most ``size``, in order.

    ``begun``: the batches whose state is on disk. One that holds a missing run goes on as it was, whatever ``size``
    says now; otherwise its steps would be computed a second time.
    """
    left = {digest(run): run for run in missing}
    out = []
    for old in begun:
        if any(digest(run) in left for run in old):
            out.append(Batch(tuple(old)))
            for run in old:
                left.pop(digest(run), None)
    return out + [Batch(group) for group in _groups(left.values(), size)]


def _groups(runs: Iterable[Recipe], size: int) -> list[tuple[Recipe, ...]]:
    """Runs of one grid point each, at most ``size`` of them, in order."""
    by_point: dict[Recipe, list[Recipe]] = {}
    for run in runs:
        by_point.setdefault(without_seeds(run), []).append(run)
    return [tuple(point[i : i + size]) for point in by_point.values() for i in range(0, len(point), size)]


class Due:
    """The runs whose claims are to be evaluated, in groups that one process of pytest takes.

    A group is due when none of its runs is in training any more. Groups do not depend on the order in which runs end.
    """

    def __init__(self, runs: Iterable[Recipe], training: Iterable[Recipe], size: int = CLAIMS_TOGETHER):
        in_training = Counter(training)  # a run may be in two batches that were begun
        groups = _groups(runs, size)
        self.group = {run: group for group in groups for run in group}
        self.left = {group: sum(in_training[run] for run in group) for group in groups}

    def now(self) -> list[tuple[Recipe, ...]]:
        """The groups that are due before any training."""
        return [group for group, left in self.left.items() if not left]

    def ended(self, runs: Iterable[Recipe]) -> list[tuple[Recipe, ...]]:
        """The groups that are due because the training of these runs has ended, in whatever way."""
        out = []
        for group in (self.group[run] for run in runs if run in self.group):
            self.left[group] -= 1
            if not self.left[group]:
                out.append(group)
        return out
