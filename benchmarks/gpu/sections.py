"""The sections of the suite that time something. Each gives what it has found so far, again and again."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.gpu import kernels
from benchmarks.gpu.eager import LENS, NETWORKS, lens_version
from benchmarks.gpu.plan import SEED_STEP_US, WHOLE_RUN_SECONDS, Plan
from benchmarks.gpu.timing import Times, ceilings, profile, step_time
from benchmarks.gpu.training import Job
from grok.recipe import Recipe
from grok.task import Task
from grok.train.state import Settings

InTime = Callable[[], bool]
Cell = tuple[str, Callable[[], Times]]


def measured(cells: Iterable[Cell], in_time: InTime) -> Iterator[dict[str, Any]]:
    """Rows of the cells while there is time, and the names of those left out.

    A cell that fails stops no other; at the end RuntimeError says which did, and their tracebacks are in the result.
    """
    found: dict[str, Any] = {"rows": [], "left_out": [], "failed": {}}
    yield found
    for name, cell in cells:
        if not in_time():
            found["left_out"].append(name)
        else:
            try:
                found["rows"].append(cell())
            except Exception:
                found["failed"][name] = traceback.format_exc()
        yield found
    if found["failed"]:
        raise RuntimeError(f"not measured: {'; '.join(found['failed'])}")


def targets(plan: Plan, work: Path) -> Iterator[Times]:
    """What the two targets are about: a whole run alone, with test losses and files, and a seed's step in a batch."""
    settings = Settings(device=plan.device, engine=plan.trains)
    run = Job([plan.target], work, settings).train()
    found = {"whole_run_seconds": run["seconds"], "whole_run_seconds_target": WHOLE_RUN_SECONDS, "run": run}
    yield found
    row = step_time(batch(plan.target, plan.batch_seeds), plan.engine, plan.device, settings.eval_every, plan.repeats)
    us = row["seed_step"]["median_us"]
    yield found | {"batch_us_per_seed_step": us, "batch_us_per_seed_step_target": SEED_STEP_US, "batch": row}


def beside(plan: Plan, in_time: InTime) -> Iterator[dict[str, Any]]:
    """Every kernel beside its reference, and the device's ceilings."""
    peak, repeats = ceilings(plan.device), 10 * plan.repeats

    def cells() -> Iterator[Cell]:
        for seeds, p, m in plan.kernel_sizes:
            for case in kernels.cases(plan.device, seeds, p, m=m):
                given = case, {"seeds": seeds, "p": p}, peak, plan.device, repeats
                yield f"{case.name}, {seeds} seeds", functools.partial(kernels.beside_reference, *given)

    for found in measured(cells(), in_time):
        yield {"ceilings": peak} | found


def ladder(plan: Plan, seeds: int, in_time: InTime) -> Iterator[dict[str, Any]]:
    """Every rung on a transformer and an MLP: with ``folded`` between the sources' own step (of a transformer, one
    seed) and the kernels, the algebra's gain is not taken for theirs. Where there is no TransformerLens, ``eager``
    stands for it.
    """
    absent = set() if lens_version() else {LENS}
    rungs = [(r, e) for r in plan.timed for e in plan.ladder if e not in absent]
    rungs = [(r, e) for r, e in rungs if e not in NETWORKS or (r.architecture == "transformer" and seeds == 1)]
    cells = [_step(plan, batch(r, seeds), e, every, plan.repeats) for r, e in rungs for every in (1, 10)]
    return measured(cells, in_time)


def growth(plan: Plan, in_time: InTime) -> Iterator[dict[str, Any]]:
    """Over p at one seed, and over seeds at the recipe's p."""
    recipe, repeats = plan.timed[0], max(1, plan.repeats // 3)
    batches = [[replace(recipe, task=Task(p, recipe.task.operation))] for p in plan.growth_p]
    batches += [batch(recipe, seeds) for seeds in plan.growth_seeds]
    return measured([_step(plan, recipes, plan.engine, 10, repeats) for recipes in batches], in_time)


def profiles(plan: Plan, in_time: InTime) -> Iterator[dict[str, Any]]:
    """Where the time of a step goes."""

    def cells() -> Iterator[Cell]:
        for recipe in plan.timed:
            for seeds in plan.profiled:
                given = batch(recipe, seeds), plan.engine, plan.device
                yield f"{recipe.name}, {seeds} seeds", functools.partial(profile, *given)

    return measured(cells(), in_time)


def batch(recipe: Recipe, n: int) -> list[Recipe]:
    """n independent runs of the recipe: the canonical one and the n-1 seeds after it."""
    return [recipe.with_seed(recipe.seed + i) for i in range(n)]


def _step(plan: Plan, recipes: list[Recipe], name: str, every: int, repeats: int) -> Cell:
    recipe = recipes[0]
    label = f"{recipe.name}, p = {recipe.task.p}, {name}, {len(recipes)} seeds, test loss every {every}"
    return label, functools.partial(step_time, recipes, name, plan.device, every, repeats)
