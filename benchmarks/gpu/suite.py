"""``python -m benchmarks.gpu.suite --out DIR``: everything that only a GPU can show, in one command of minutes.

Needs torch, triton, numpy, einops, safetensors, tqdm, pytest. Sections, in this order:

1. ``kernels``: the kernel tests and the engine tests on the device;
2. ``determinism``: the same seed twice, and alone or in a batch: the same bits?
3. ``canonical``: every recipe's published seed (and its control run) trained to the end into a fixture;
4. ``timing``: the ladder of engines, every kernel beside its reference and the device's ceilings, growth;
5. ``seeds``: seeds 0 … 15 of every published recipe;
6. ``results``: their fixtures, final weights and trajectories, measured on the other cores meanwhile, in few files.

``report.json`` is written after every section, so that an interrupted suite keeps what it had. A section that fails is
recorded and the rest goes on; the exit code is then 1. ``--rehearse`` runs the same code small, on the CPU, and the
first section only with ``--tests``: its times say nothing about a GPU, and the report calls itself a rehearsal.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import timing as gpu_timing
from benchmarks.gpu import training as gpu_training
from benchmarks.gpu.checks import determinism, environment, kernel_tests
from benchmarks.gpu.plan import Plan, full_plan, rehearsal_plan
from grok import files
from grok.train.engines import engine
from grok.train.state import Settings


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
            section("kernels", lambda: kernel_tests(out))
        section("determinism", lambda: determinism(plan))
        work = Workers(pool, Path(scratch))
        section("canonical", lambda: canonical(plan, work))
        section("timing", lambda: timing(plan))
        section("seeds", lambda: seeds(plan, work, started + budget))
        section("results", lambda: work.results(out))
    return report


class Workers:
    """Measures what has been trained in other processes, while the device goes on."""

    def __init__(self, pool: ProcessPoolExecutor, scratch: Path):
        self.pool, self.scratch = pool, scratch
        self.fixtures: list[Future] = []
        self.batches: list[tuple[Path, list[Future]]] = []

    def fixture(self, job: gpu_training.Job) -> None:
        recipe = job.recipes[0]
        folder = self.scratch / "fixtures" / recipe.name / f"seed{recipe.seed}"
        self.fixtures.append(self.pool.submit(gpu_training.finish_fixture, job.work, folder))

    def batch(self, job: gpu_training.Job) -> None:
        columns = [self.pool.submit(gpu_training.seed_columns, job.work, i) for i in range(len(job.recipes))]
        self.batches.append((job.work, columns))

    def results(self, out: Path) -> list[str]:
        """Wait for all of it and write the files; their names."""
        folders = [Path(f.result()) for f in self.fixtures]
        paths = gpu_training.pack(folders, self.scratch / "fixtures", out)
        for work, columns in self.batches:
            paths += gpu_training.write_seeds(work, out, [f.result() for f in columns])
        return [path.name for path in paths]


def canonical(plan: Plan, workers: Workers) -> list[dict[str, Any]]:
    """Each run alone."""
    rows = []
    for recipe in plan.canonical:
        job = gpu_training.Job([recipe], workers.scratch / "canonical" / recipe.name, _settings(plan))
        rows.append(job.train())
        workers.fixture(job)
    return rows


def timing(plan: Plan) -> dict[str, Any]:
    peak = gpu_timing.ceilings(plan.device)
    recipes = [r for r in plan.canonical if r.weight_decay][:2]
    return {
        "ceilings": peak,
        "ladder": gpu_timing.ladder(recipes, plan.ladder, plan.ladder_seeds, plan.device, plan.repeats),
        "growth": gpu_timing.growth(
            recipes[-1], plan.engine, plan.growth_p, plan.growth_seeds, plan.device, max(1, plan.repeats // 3)
        ),
        "kernels": gpu_timing.kernel_times(plan.device, plan.kernel_sizes, peak, 10 * plan.repeats),
    }


def seeds(plan: Plan, workers: Workers, deadline: float) -> dict[str, Any]:
    """Each batch while time is left; what did not fit in is named."""
    rows, left_out = [], []
    for recipes in plan.batches:
        if time.monotonic() > deadline:
            left_out.append(recipes[0].name)
            continue
        job = gpu_training.Job(recipes, workers.scratch / "seeds" / recipes[0].name, _settings(plan))
        rows.append(job.train())
        workers.batch(job)
    return {"runs": rows, "left_out": left_out}


def _settings(plan: Plan) -> Settings:
    return Settings(device=plan.device, engine=plan.engine)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.suite", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for report.json and the results")
    parser.add_argument("--minutes", type=float, default=6.5, help="no new batch of seeds is begun after this")
    parser.add_argument("--engine", choices=engine.ENGINES, help="train with this engine instead of triton")
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
        plan = replace(plan, engine=options.engine)
    report = run_suite(plan, options.out, options.minutes * 60, time.monotonic())
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
