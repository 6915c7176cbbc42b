"""The losses of the training runs behind the claims, thinned: what the page draws first."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from grok.errors import GrokError, NotEvaluable
from grok.verdicts.claim import Claim
from grok.verdicts.record import Curve

COLUMNS = ("train_loss", "test_loss", "restricted_loss", "excluded_loss")
POINTS = 120  # of a curve; the page draws it a few hundred pixels wide
DIGITS = 4


def curves(claims: Iterable[Claim], fixtures: Path) -> tuple[Curve, ...]:
    """A curve for each trained network of the claims, the published seed of a recipe first.

    fixtures: the folder of the networks' folders. A run that cannot be read has none: its claims tell the error.
    """
    names = {
        s.subject: claim.fixture
        for claim in claims
        for s in claim.subjects
        if claim.fixture and s.role == "trained" and re.fullmatch(r"[\w.-]+/seed\d+", s.subject)
    }
    found = []
    for name in sorted(names, key=lambda name: (names[name] or "", not _published(name), len(name), name)):
        with contextlib.suppress(GrokError, OSError):
            found.append(_curve(name, fixtures / name))
    return tuple(curve for curve in found if curve)


def _published(name: str) -> bool:
    from grok.recipe import RECIPES

    recipe, _, seed = name.partition("/seed")
    return recipe in RECIPES and RECIPES[recipe].seed == int(seed)


def _curve(name: str, folder: Path) -> Curve | None:
    """None for a trajectory without losses."""
    from grok.measure import trajectory
    from grok.store.fixture import load_fixture

    run = load_fixture(folder).run
    train, test = (run.columns.get(name) for name in COLUMNS[:2])
    if train is None or test is None:
        return None
    phases: tuple[tuple[str, int], ...] = ()
    try:
        ends = trajectory.phases(run.steps, train, test)
        phases = (("memorisation", ends.memorised), ("circuit formation", ends.circuit), ("cleanup", ends.cleanup))
    except NotEvaluable:
        pass
    kept = thinned(run.steps, [step for _, step in phases])
    columns = {key: run.columns[key] for key in COLUMNS if any(x is not None for x in run.columns.get(key, []))}
    return Curve(
        subject=name,
        steps=tuple(run.steps[i] for i in kept),
        columns={key: tuple(_rounded(column[i]) for i in kept) for key, column in columns.items()},
        phases=phases,
        key_frequencies=run.key_frequencies,
    )


def thinned(steps: list[int], needed: Iterable[int] = (), points: int = POINTS) -> list[int]:
    """Indices of ascending steps, at equal distances of their logarithm: a curve is drawn over that.

    The first, the last and the needed steps are kept.
    """
    last = steps[-1]
    wanted = [last ** (i / points) for i in range(points + 1)] if last > 1 else []
    near = {min(range(len(steps)), key=lambda i: abs(steps[i] - want)) for want in wanted}
    return sorted(near | {0, len(steps) - 1} | {steps.index(step) for step in needed})


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
