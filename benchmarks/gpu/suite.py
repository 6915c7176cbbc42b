"""``python -m benchmarks.gpu.suite --out DIR``: everything that only a GPU can show, in one command of minutes.

Needs torch, triton, numpy, einops, safetensors, tqdm, pytest. Sections, in this order:

1. ``kernels``: the kernel tests and the engine tests on the device;
2. ``determinism``: the same seed twice, and alone or in a batch: the same bits?
3. ``canonical``: every published run (and its control run), alone;
4. ``timing``: the ladder of engines, every kernel beside its reference and the device's ceilings, growth, and where the
   time of a step goes;
5. ``seeds``: batches of seeds of most recipes, also at other p;
6. ``compared``: a canonical run once more, with products in tensor units: does it grok, and when?
7. ``results``: what other cores have measured meanwhile: fixtures in the light form, in ``fixtures-<n>.tar``.

What a section found is on disk when it ends: its part of ``report.json``, and the final weights of its runs
(``finals-<n>.safetensors``, until their fixtures are there). So an interrupted suite keeps what it had. The kernel
tests may take half of ``--minutes``; a later section begins nothing new after its share of it, and names what it left
out. ``--only`` names the sections to run. There are at most 8 files, of at most 16 MiB.

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
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.pool import AsyncResult, Pool
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import kernels as gpu_kernels
from benchmarks.gpu import timing as gpu_timing
from benchmarks.gpu import training as gpu_training
from benchmarks.gpu.checks import determinism, environment, kernel_tests
from benchmarks.gpu.plan import CANONICAL_UNTIL, SEEDS_UNTIL, TIMING_UNTIL, Plan, full_plan, rehearsal_plan
from grok import files
from grok.recipe import Recipe
from grok.store import light
from grok.train.engines import engine
from grok.train.state import Settings

RESULTS_SECONDS = 45.0  # for what is still being measured when the device has ended


@dataclass(frozen=True)
class Clock:
    """How much of the time is over that the checks have left."""

    started: float
    seconds: float

    def until(self, share: float) -> Callable[[], bool]:
        return lambda: time.monotonic() - self.started < share * self.seconds


def run_suite(plan: Plan, out: Path, budget: float, started: float, only: Collection[str] = ()) -> dict[str, Any]:
    """Run every section, or ``only`` some; return the report, which is also in ``out / report.json``."""
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
        get_context("spawn").Pool(plan.workers) as pool,  # its end stops what still runs
    ):
        sections: dict[str, Callable[[], Any]] = {}
        clock = Clock(started, budget)
        work = Workers(pool, Path(scratch), out)
        if plan.kernel_tests:
            sections["kernels"] = lambda: kernel_tests(budget / 2)
        sections["determinism"] = lambda: determinism(plan)
        alone = [[recipe] for recipe in plan.canonical]
        sections["canonical"] = lambda: trained(plan, alone, light.ROLES, work, clock.until(CANONICAL_UNTIL))
        sections["timing"] = lambda: timing(plan, clock.until(TIMING_UNTIL))
        sections["seeds"] = lambda: trained(plan, plan.batches, ("initial",), work, clock.until(SEEDS_UNTIL))
        sections["compared"] = lambda: compared(plan, work, clock.until(1.0))
        for name, body in sections.items():
            if not only or name in only:
                section(name, body)
        if work.jobs:
            section("results", lambda: work.results(started + budget + RESULTS_SECONDS))
    return report


class Workers:
    """Measures what has been trained in other processes, while the device goes on."""

    def __init__(self, pool: Pool, scratch: Path, out: Path):
        self.pool, self.scratch, self.out = pool, scratch, out
        self.jobs: list[tuple[gpu_training.Job, list[AsyncResult]]] = []

    def measure(self, job: gpu_training.Job, roles: tuple[str, ...]) -> None:
        """Hand the runs of a finished job to the other processes; their fixtures hold the checkpoints of ``roles``."""
        folders = [self.scratch / "fixtures" / job.name / f"seed{r.seed}" for r in job.recipes]
        found = [
            self.pool.apply_async(gpu_training.finish_fixture, (job.work, i, folder, roles))
            for i, folder in enumerate(folders)
        ]
        self.jobs.append((job, found))
        self.save()

    @property
    def fixtures(self) -> list[AsyncResult]:
        return [fixture for _, found in self.jobs for fixture in found]

    def save(self) -> list[Path]:
        """Every fixture that has been measured, and of the other jobs what is known without that."""
        measured = [Path(fixture.get()) for fixture in self.fixtures if _measured(fixture)]
        waiting = [job for job, found in self.jobs if not all(map(_measured, found))]
        paths = gpu_training.pack(measured, self.scratch / "fixtures", self.out)
        return [*paths, *gpu_training.write_finals(waiting, self.out)]

    def results(self, until: float) -> list[str]:
        """Wait for all of it, at most ``until`` then, and write the files; their names.

        Raises what a measurement raised, and TimeoutError if one has not ended.
        """
        for fixture in self.fixtures:
            fixture.wait(max(0.0, until - time.monotonic()) if math.isfinite(until) else None)
        paths = self.save()
        for fixture in self.fixtures:
            fixture.get(timeout=0)
        return [path.name for path in paths]


def _measured(fixture: AsyncResult) -> bool:
    return fixture.ready() and fixture.successful()


def trained(
    plan: Plan, batches: list[list[Recipe]], roles: tuple[str, ...], workers: Workers, in_time: Callable[[], bool]
) -> dict[str, Any]:
    """Each batch, while there is time; what did not fit in is named."""
    rows, left_out = [], []
    for recipes in batches:
        folder = workers.scratch / "runs" / f"{len(workers.jobs)}"
        job = gpu_training.Job(recipes, folder, Settings(device=plan.device, engine=plan.trains))
        label = f"{job.name}, {len(recipes)} seeds"
        if not in_time():
            left_out.append(label)
            continue
        rows.append(job.train())
        print(f"  {label}: {rows[-1]['us_per_seed_step']:.1f} us a seed-step; {rows[-1]['engine_check']}", flush=True)
        workers.measure(job, roles)
    return {"runs": rows, "left_out": left_out}


def timing(plan: Plan, in_time: Callable[[], bool]) -> dict[str, Any]:
    peak = gpu_timing.ceilings(plan.device)
    recipes = [r for r in plan.canonical if r.weight_decay][:2]
    where, few = (plan.device, in_time), max(1, plan.repeats // 3)
    found = {
        "ceilings": peak,
        "profile": [
            gpu_timing.profile(gpu_timing.batch(r, s), plan.engine, *where) for r in recipes for s in plan.profiled
        ],
        "ladder": gpu_timing.ladder(recipes, plan.ladder, plan.ladder_seeds, *where, plan.repeats),
        "growth": gpu_timing.growth(recipes[-1], plan.engine, plan.growth_p, plan.growth_seeds, *where, few),
        "kernels": gpu_kernels.kernel_times(plan.kernel_sizes, peak, *where, 10 * plan.repeats),
    }
    return found | {"complete": in_time()}


def compared(plan: Plan, workers: Workers, in_time: Callable[[], bool]) -> dict[str, Any]:
    recipe, name = plan.compared
    if not in_time():
        return {"runs": [], "left_out": [recipe.name]}
    settings = Settings(device=plan.device, engine=name)
    return {"runs": [gpu_training.Job([recipe], workers.scratch / "compared", settings).train()], "left_out": []}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.suite", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for report.json and the results")
    parser.add_argument(
        "--minutes", type=float, help="nothing new is trained after this; default: 7, and no end to a rehearsal"
    )
    parser.add_argument("--engine", choices=engine.ENGINES, help="train with this engine and time it, not triton")
    parser.add_argument("--rehearse", action="store_true", help="the same path, small, on the CPU")
    parser.add_argument("--tests", action="store_true", help="with --rehearse: the kernel and engine tests, too")
    parser.add_argument("--only", metavar="SECTION,SECTION", default="", help="run these sections alone")
    options = parser.parse_args(arguments)
    if not options.rehearse and not torch.cuda.is_available():
        print("gpu_suite: torch sees no CUDA device; --rehearse runs the same path on the CPU", file=sys.stderr)
        return 2
    if options.rehearse:
        os.environ["TRITON_INTERPRET"] = "1"  # before any kernel is imported
    plan = rehearsal_plan(options.tests) if options.rehearse else full_plan()
    if options.engine:
        plan = replace(plan, engine=options.engine, trains=options.engine)
    minutes = options.minutes or (math.inf if options.rehearse else 7)
    only = tuple(filter(None, options.only.split(",")))
    report = run_suite(plan, options.out, minutes * 60, time.monotonic(), only)
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
