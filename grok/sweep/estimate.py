"""Estimates the time of the missing runs, from finished runs if there are any, else from a few timed steps."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grok.recipe import Recipe
from grok.sweep.plan import digest, without_seeds
from grok.sweep.store import Store
from grok.train import run
from grok.train.state import Settings

PROBE_STEPS = 20


@dataclass(frozen=True)
class Estimate:
    """seconds: time of one worker for all missing runs, one after another. how: where the figure comes from."""

    seconds: float
    how: str


def estimate(store: Store, missing: Sequence[Recipe], settings: Settings) -> Estimate:
    """Seconds per step of finished runs of the same shape, measuring included; else of a probe, training alone."""
    measured = _measured(store)
    total, probed = 0.0, 0
    rates: dict[Recipe, float] = {}
    for recipe in missing:
        shape = _shape(recipe)
        if shape not in rates:
            probed += shape not in measured
            rates[shape] = measured[shape] if shape in measured else _probe(recipe, settings)
        total += rates[shape] * recipe.steps
    where = "here, alone" if settings.device == "cpu" else f"on {settings.device}, alone"
    probe = f"a probe of {PROBE_STEPS} steps {where}, without measuring"
    finished = "the seconds of finished runs"
    return Estimate(total, finished if not probed else probe if probed == len(rates) else f"{finished} and {probe}")


def _shape(recipe: Recipe) -> Recipe:
    """The fields of a recipe that determine the time of a step: all but the seeds and the number of steps."""
    return replace(without_seeds(recipe), steps=0)


def _measured(store: Store) -> dict[Recipe, float]:
    """Shape → seconds per run and step, over the recorded attempts that finished."""
    recipes = {digest(r): r for r in store.stored()}
    seconds: dict[Recipe, float] = {}
    steps: dict[Recipe, int] = {}
    for record in store.records():
        if record["event"] != "finished" or record["steps"] == 0 or record["runs"][0] not in recipes:
            continue
        shape = _shape(recipes[record["runs"][0]])
        seconds[shape] = seconds.get(shape, 0.0) + record["seconds"]
        steps[shape] = steps.get(shape, 0) + record["steps"]
    return {shape: seconds[shape] / steps[shape] for shape in steps}


def _probe(recipe: Recipe, settings: Settings) -> float:
    short = replace(recipe, steps=min(PROBE_STEPS, recipe.steps))
    with tempfile.TemporaryDirectory() as work:
        run.train([replace(short, steps=1)], Path(work) / "warm", settings, progress=False)
        return run.train([short], Path(work) / "probe", settings, progress=False).seconds / short.steps
