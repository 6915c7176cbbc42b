"""``python -m benchmarks.gpu.suite --out DIR``: everything that only a GPU can show, in one command of minutes.

Needs torch, triton, numpy, einops, safetensors, tqdm, pytest. Sections, in this order:

1. ``kernels``: the kernel tests and the engine tests on the device;
2. ``determinism``: the same seed twice, and alone or in a batch: the same bits?
3. ``canonical``: every recipe's published seed (and its control run) trained to the end, into a fixture;
4. ``timing``: the ladder of engines, every kernel beside its reference and the device's ceilings, growth;
5. ``seeds``: seeds 0 … 15 of every published recipe;
6. ``compared``: a canonical run once more, with products in tensor units: does it grok, and when?
7. ``rest``: canonical runs for which there was no time before the timing;
8. ``results``: fixtures, and trajectories of the seeds, which other cores have measured meanwhile.

What a section found is on disk when it ends: its part of ``report.json``, and the final weights of its runs
(``canonical.safetensors`` until their fixtures are there). So an interrupted suite keeps what it had. The checks may
take half of ``--minutes``; a later section begins nothing new after its share of what they left, and names what it left
out. There are at most 8 files, of at most 16 MiB.

A section that fails is recorded and the rest goes on; the exit code is then 1. ``--rehearse`` runs the same code small,
on the CPU, and the first section only with ``--tests``: its times say nothing about a GPU, and the report calls itself
a rehearsal.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import timing as gpu_timing
from benchmarks.gpu import training as gpu_training
from benchmarks.gpu.checks import determinism, environment, kernel_tests
from benchmarks.gpu.plan import CANONICAL_UNTIL, SEEDS_UNTIL, TIMING_UNTIL, Plan, full_plan, rehearsal_plan
from grok import files
from grok.recipe import Recipe
from grok.train.engines import engine
from grok.train.state import Settings

FINALS = "canonical.safetensors"


@dataclass(frozen=True)
class Clock:
    """How much of the time is over that the checks have left."""

    started: float
    seconds: float

    def until(self, share: float) -> Callable[[], bool]:
        return lambda: time.monotonic() - self.started < share * self.seconds


def run_suite(plan: Plan, out: Path, budget: float, started: float) -> dict[str, Any]:
    """Run every section and return the report; it is also in ``out / report.json``. Files land in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"schema": 1, "rehearsal": plan.device == "cpu", "environment": environment(plan.device)}
    failed: list[str] = []

    def section(name: str, body: Callable[[], Any]) -> None:
        began = time.monotonic()
        try:
            report[name] = {"result": body()}
        except Exception:
            report[name] = {"error": traceback.format_exc()}
            failed.append(name)
        report[name]["seconds"] = time.monotonic() - began
        report["failed"], report["seconds"] = failed, time.monotonic() - started
        files.write_json(out / "report.json", report)
        print(f"{name}: {'failed' if name in failed else 'done'} in {report[name]['seconds']:.1f} s", flush=True)

    with (
        tempfile.TemporaryDirectory() as scratch,
        ProcessPoolExecutor(plan.workers, mp_context=get_context("spawn")) as pool,
    ):
        if plan.kernel_tests:
            section("kernels", lambda: kernel_tests(budget / 2))
        section("determinism", lambda: determinism(plan))
        clock = Clock(time.monotonic(), started + budget - time.monotonic())
        work = Workers(pool, Path(scratch), out)
        section("canonical", lambda: canonical(plan, plan.canonical, work, clock.until(CANONICAL_UNTIL)))
        section("timing", lambda: timing(plan, clock.until(TIMING_UNTIL)))
        section("seeds", lambda: seeds(plan, work, clock.until(SEEDS_UNTIL)))
        section("compared", lambda: compared(plan, work, clock.until(SEEDS_UNTIL)))
        rest = [r for r in plan.canonical if r.name not in work.trained]
        if rest:
            section("rest", lambda: canonical(plan, rest, work, clock.until(SEEDS_UNTIL)))
        section("results", work.results)
    return report


class Workers:
    """Measures what has been trained in other processes, while the device goes on."""

    def __init__(self, pool: ProcessPoolExecutor, scratch: Path, out: Path):
        self.pool, self.scratch, self.out = pool, scratch, out
        self.trained: dict[str, tuple[gpu_training.Job, Future]] = {}  # canonical runs by name
        self.batches: list[tuple[Path, list[Future]]] = []

    def fixture(self, job: gpu_training.Job) -> None:
        recipe = job.recipes[0]
        folder = self.scratch / "fixtures" / recipe.name / f"seed{recipe.seed}"
        self.trained[recipe.name] = job, self.pool.submit(gpu_training.finish_fixture, job.work, folder)
        self.save()

    def batch(self, job: gpu_training.Job) -> None:
        gpu_training.write_seeds(job.work, self.out)
        columns = [self.pool.submit(gpu_training.seed_columns, job.work, i) for i in range(len(job.recipes))]
        self.batches.append((job.work, columns))
        self.save()

    def save(self) -> list[Path]:
        """Every fixture that has been measured, and of the other canonical runs what is known without that."""
        measured, waiting = [], []
        for job, future in self.trained.values():
            if future.done() and not future.exception():
                measured.append(Path(future.result()))
            else:
                waiting.append(job)
        paths = gpu_training.pack(measured, self.scratch / "fixtures", self.out)
        if waiting:
            gpu_training.write_finals(waiting, self.out / FINALS)
            return [*paths, self.out / FINALS]
        (self.out / FINALS).unlink(missing_ok=True)
        return paths

    def results(self) -> list[str]:
        """Wait for all of it and write the files; their names. Raises what a measurement raised."""
        futures = [future for _, future in self.trained.values()]
        wait(futures)
        paths = self.save()
        for work, columns in self.batches:
            paths += gpu_training.write_seeds(work, self.out, [f.result() for f in columns])
        for future in futures:
            future.result()
        return [path.name for path in paths]


def canonical(plan: Plan, recipes: list[Recipe], workers: Workers, in_time: Callable[[], bool]) -> dict[str, Any]:
    """Each run alone, while there is time."""
    rows, left_out = [], []
    for recipe in recipes:
        if not in_time():
            left_out.append(recipe.name)
            continue
        job = gpu_training.Job([recipe], workers.scratch / "canonical" / recipe.name, _settings(plan))
        rows.append(job.train())
        workers.fixture(job)
    return {"runs": rows, "left_out": left_out}


def timing(plan: Plan, in_time: Callable[[], bool]) -> dict[str, Any]:
    peak = gpu_timing.ceilings(plan.device)
    recipes = [r for r in plan.canonical if r.weight_decay][:2]
    where, few = (plan.device, in_time), max(1, plan.repeats // 3)
    found = {
        "ceilings": peak,
        "ladder": gpu_timing.ladder(recipes, plan.ladder, plan.ladder_seeds, *where, plan.repeats),
        "growth": gpu_timing.growth(recipes[-1], plan.engine, plan.growth_p, plan.growth_seeds, *where, few),
        "kernels": gpu_timing.kernel_times(plan.kernel_sizes, peak, *where, 10 * plan.repeats),
    }
    return found | {"complete": in_time()}


def seeds(plan: Plan, workers: Workers, in_time: Callable[[], bool]) -> dict[str, Any]:
    """Each batch while time is left; what did not fit in is named."""
    workers.save()
    rows, left_out = [], []
    for recipes in plan.batches:
        if not in_time():
            left_out.append(recipes[0].name)
            continue
        job = gpu_training.Job(recipes, workers.scratch / "seeds" / recipes[0].name, _settings(plan))
        rows.append(job.train())
        workers.batch(job)
    return {"runs": rows, "left_out": left_out}


def compared(plan: Plan, workers: Workers, in_time: Callable[[], bool]) -> dict[str, Any]:
    recipe, name = plan.compared
    if not in_time():
        return {"runs": [], "left_out": [recipe.name]}
    settings = Settings(device=plan.device, engine=name)
    return {"runs": [gpu_training.Job([recipe], workers.scratch / "compared", settings).train()], "left_out": []}


def _settings(plan: Plan) -> Settings:
    return Settings(device=plan.device, engine=plan.trains)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.suite", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for report.json and the results")
    parser.add_argument(
        "--minutes", type=float, help="nothing new is trained after this; default: 6.5, and no end to a rehearsal"
    )
    parser.add_argument("--engine", choices=engine.ENGINES, help="train with this engine and time it, not triton")
    parser.add_argument("--rehearse", action="store_true", help="the same path, small, on the CPU")
    parser.add_argument("--tests", action="store_true", help="with --rehearse: the kernel and engine tests, too")
    options = parser.parse_args(arguments)
    if not options.rehearse and not torch.cuda.is_available():
        print("gpu_suite: torch sees no CUDA device; --rehearse runs the same path on the CPU", file=sys.stderr)
        return 2
    if options.rehearse:
        os.environ["TRITON_INTERPRET"] = "1"  # before any kernel is imported
    plan = rehearsal_plan(options.tests) if options.rehearse else full_plan()
    if options.engine:
        plan = replace(plan, engine=options.engine, trains=options.engine)
    minutes = options.minutes or (math.inf if options.rehearse else 6.5)
    report = run_suite(plan, options.out, minutes * 60, time.monotonic())
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
