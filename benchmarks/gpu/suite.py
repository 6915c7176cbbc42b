"""``python -m benchmarks.gpu.suite --out DIR``: everything that only a GPU can show, in one command of minutes.

Needs torch, triton, numpy, einops, safetensors, tqdm, pytest; one rung needs TransformerLens. Sections, in this order:

1. ``kernels``: the kernel tests and the engine tests on the device;
2. ``determinism``: the same seed twice, and alone or in a batch: the same bits?
3. ``canonical``: every published run (and its control run), alone;
4. ``targets``: a whole run of ``modsub-transformer`` alone, and a seed's step in a batch of 64;
5. ``beside``: every kernel beside its reference, and the device's ceilings;
6. ``ladder``: the engines beside each other with 64 seeds;
7. ``growth``: the time of a step over p, and over the number of seeds;
8. ``ladder_alone``: the ladder with one seed. It begins with the sources' loop, through TransformerLens if it is there;
9. ``profile``: where the time of a step goes;
10. ``compared``: ``modsub-transformer`` and its control run, with each way to round products (``grok.kernels.dot``);
11. ``seeds``: batches of seeds of most recipes, also at other p;
12. ``results``: what other cores have measured since 9 has ended: fixtures in the light form, in ``fixtures-<n>.tar``.

Where the archives are unpacked, ``pytest claims/ -k modsub-transformer --fixture-dir triton_tf32x3`` gives the verdicts
on the runs of ``compared`` by that engine.

Every row is on disk when it is found, in ``report.json``, and the final weights of a run when it ends
(``finals-<n>.safetensors``, until its fixture is there). So an interrupted suite keeps what it had. The kernel
tests may take half of ``--minutes``; a later section begins nothing new after its share of what is left, and names what
it left out. ``--only`` names the sections to run; ``timing`` stands for 4 to 9. There are at most 8 files, of at most
16 MiB.

A section that fails is recorded with what it had and the rest goes on; the exit code is then 1. ``--rehearse`` runs
the same code small, on the CPU, and the first section only with ``--tests``: its times say nothing about a GPU, and the
report calls itself a rehearsal.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.pool import AsyncResult, Pool
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import sections
from benchmarks.gpu import training as gpu_training
from benchmarks.gpu.checks import determinism, environment, kernel_tests
from benchmarks.gpu.plan import SECTIONS, SHARES, TIMING, Plan, full_plan, rehearsal_plan
from grok import files
from grok.recipe import Recipe
from grok.store import light
from grok.train.engines import engine
from grok.train.state import Settings

RESULTS_SECONDS = 45.0  # for what is still being measured when the device has ended


@dataclass(frozen=True)
class Clock:
    """The time of sections that follow one another."""

    end: float
    names: list[str]

    def until(self, name: str, now: float) -> float:
        """When a section that starts now has had its share: what it and those after it have left is divided."""
        following = self.names[self.names.index(name) :]
        return now + (self.end - now) * SHARES[name] / sum(SHARES[n] for n in following)

    def share(self, name: str) -> Callable[[], bool]:
        until = self.until(name, time.monotonic())
        return lambda: time.monotonic() < until


def run_suite(plan: Plan, out: Path, budget: float, started: float, only: Collection[str] = ()) -> dict[str, Any]:
    """Run every section, or ``only`` some; return the report, which is also in ``out / report.json``."""
    out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"schema": 2, "rehearsal": plan.device == "cpu", "environment": environment(plan.device)}
    failed: list[str] = []

    def section(name: str, body: Callable[[], Iterable[Any]]) -> None:
        """``body`` gives what it has found so far, again and again."""
        began, part = time.monotonic(), report.setdefault(name, {})

        def save() -> None:
            part["seconds"], report["seconds"] = time.monotonic() - began, time.monotonic() - started
            report["failed"] = failed
            files.write_json(out / "report.json", report)

        try:
            for part["result"] in body():
                save()
        except Exception:
            part["error"] = traceback.format_exc()
            failed.append(name)
        save()
        print(f"{name}: {'failed' if name in failed else 'done'} in {part['seconds']:.1f} s", flush=True)

    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:  # its end stops what still runs
        pool = functools.cache(lambda: stack.enter_context(get_context("spawn").Pool(plan.workers)))
        work = Workers(pool, Path(scratch), out)
        wanted = [name for name in SECTIONS if not only or name in only]
        clock = Clock(started + budget, [name for name in wanted if name in SHARES])
        trains = Settings(device=plan.device, engine=plan.trains)
        alone, seeds = [([recipe], "") for recipe in plan.canonical], [(batch, "") for batch in plan.batches]
        again = [([recipe], name) for name in plan.compared[1] for recipe in plan.compared[0]]
        bodies: dict[str, Callable[[Callable[[], bool]], Iterable[Any]]] = {
            "targets": lambda _: sections.targets(plan, work.scratch / "targets"),
            "beside": lambda in_time: sections.beside(plan, in_time),
            "ladder": lambda in_time: sections.ladder(plan, plan.batch_seeds, in_time),
            "growth": lambda in_time: sections.growth(plan, in_time),
            "ladder_alone": lambda in_time: sections.ladder(plan, 1, in_time),
            "profile": lambda in_time: sections.profiles(plan, in_time),
            "canonical": lambda in_time: trained(alone, trains, light.ROLES, work, in_time, now=False),
            "compared": lambda in_time: trained(again, trains, light.ROLES, work, in_time),
            "seeds": lambda in_time: trained(seeds, trains, ("initial",), work, in_time),
        }
        if "kernels" in wanted and plan.kernel_tests:
            section("kernels", lambda: [kernel_tests(budget / 2)])
        if "determinism" in wanted:
            section("determinism", lambda: [determinism(plan)])
        for name in clock.names:
            section(name, lambda: bodies[name](clock.share(name)))  # noqa: B023 (it is called at once)
        if work.jobs or work.kept:
            section("results", lambda: [work.results(started + budget + RESULTS_SECONDS)])
    return report


class Workers:
    """Measures what has been trained in other processes, while the device goes on."""

    def __init__(self, pool: Callable[[], Pool], scratch: Path, out: Path):
        self.pool, self.scratch, self.out = pool, scratch, out  # there is no pool before it is asked for
        self.kept: list[tuple[gpu_training.Job, tuple[str, ...]]] = []  # trained, and not handed over yet
        self.jobs: list[tuple[gpu_training.Job, list[AsyncResult]]] = []

    def keep(self, job: gpu_training.Job, roles: tuple[str, ...]) -> None:
        """Keep a finished job; the fixtures of its runs will hold the checkpoints of ``roles``."""
        self.kept.append((job, roles))
        self.save()

    def measure(self) -> None:
        """Hand the runs of all jobs that were kept to the other processes."""
        for job, roles in self.kept:
            folders = [self.scratch / "fixtures" / job.name / f"seed{r.seed}" for r in job.recipes]
            found = [
                self.pool().apply_async(gpu_training.finish_fixture, (job.work, i, folder, roles))
                for i, folder in enumerate(folders)
            ]
            self.jobs.append((job, found))
        self.kept = []

    @property
    def fixtures(self) -> list[AsyncResult]:
        return [fixture for _, found in self.jobs for fixture in found]

    def save(self) -> list[Path]:
        """Every fixture that has been measured, and of the other jobs what is known without that."""
        measured = [Path(fixture.get()) for fixture in self.fixtures if _measured(fixture)]
        waiting = [job for job, found in self.jobs if not all(map(_measured, found))]
        waiting += [job for job, _ in self.kept]
        paths = gpu_training.pack(measured, self.scratch / "fixtures", self.out)
        return [*paths, *gpu_training.write_finals(waiting, self.out)]

    def results(self, until: float) -> list[str]:
        """Wait for all of it, at most ``until`` then, and write the files; their names.

        Raises what a measurement raised, and TimeoutError if one has not ended.
        """
        self.measure()
        for fixture in self.fixtures:
            fixture.wait(max(0.0, until - time.monotonic()) if math.isfinite(until) else None)
        paths = self.save()
        for fixture in self.fixtures:
            fixture.get(timeout=0)
        return [path.name for path in paths]


def _measured(fixture: AsyncResult) -> bool:
    return fixture.ready() and fixture.successful()


def trained(
    batches: list[tuple[list[Recipe], str]],
    settings: Settings,
    roles: tuple[str, ...],
    workers: Workers,
    in_time: Callable[[], bool],
    now: bool = True,
) -> Iterator[dict[str, Any]]:
    """Each batch, while there is time; what did not fit in is named.

    batches: recipes, and an engine that is not that of the settings. Fixtures of its runs are in a folder of its name.
    now: other processes measure the runs at once; otherwise later, since something is timed next.
    """
    found: dict[str, Any] = {"runs": [], "left_out": []}
    for recipes, other in batches:
        if now:
            workers.measure()
        folder = workers.scratch / "runs" / f"{len(workers.jobs) + len(workers.kept)}"
        job = gpu_training.Job(recipes, folder, replace(settings, engine=other or settings.engine), other)
        label = f"{job.name}, {len(recipes)} seeds"
        if in_time():
            row = job.train()
            found["runs"].append(row)
            print(f"  {label}: {row['us_per_seed_step']:.1f} us a seed-step; {row['engine_check']}", flush=True)
            workers.keep(job, roles)
        else:
            found["left_out"].append(label)
        yield found
    if now:
        workers.measure()


def chosen(text: str) -> tuple[str, ...]:
    """The sections that ``--only`` names, where ``timing`` stands for those that time something."""
    names = tuple(filter(None, text.split(",")))
    if unknown := [name for name in names if name not in (*SECTIONS, "timing")]:
        raise argparse.ArgumentTypeError(f"no section {', '.join(unknown)}; known: timing, {', '.join(SECTIONS)}")
    return (*names, *TIMING) if "timing" in names else names


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.suite", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for report.json and the results")
    parser.add_argument(
        "--minutes", type=float, help="nothing new is trained after this; default: 7, and no end to a rehearsal"
    )
    parser.add_argument("--engine", choices=engine.ENGINES, help="train with this engine and time it, not triton")
    parser.add_argument("--rehearse", action="store_true", help="the same path, small, on the CPU")
    parser.add_argument("--tests", action="store_true", help="with --rehearse: the kernel and engine tests, too")
    known = f"run these sections alone: timing, {', '.join(SECTIONS)}"
    parser.add_argument("--only", metavar="SECTION,SECTION", type=chosen, default=(), help=known)
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
    report = run_suite(plan, options.out, minutes * 60, time.monotonic(), options.only)
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
