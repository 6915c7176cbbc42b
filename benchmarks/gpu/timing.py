"""Timings of the engines and kernels on the device at hand, each beside its reference and the device's own ceilings.

Everything is warm and synchronised; what the first call costs (compilation, capture) is reported apart. Times are
medians with the 20th and 80th percentile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch

from benchmarks.gpu.eager import Eager
from grok.recipe import Recipe
from grok.task import Task
from grok.train.engines import engine
from grok.train.graph import Graphed
from grok.train.state import State

Times = dict[str, Any]
EAGER = "eager"  # a rung that is no engine of ours


MOST_SECONDS = 1.0  # of the repeats of one measurement, but there are at least three


def timed(call: Callable[[], object], device: str, repeats: int) -> list[float]:
    """Seconds of each of ``repeats`` calls after one that is not counted: by CUDA events, else by the clock.

    Of long calls there are fewer: as many as take ``MOST_SECONDS``, at least three.
    """
    began = time.perf_counter()
    call()
    if device != "cpu":
        torch.cuda.synchronize()
    repeats = max(min(repeats, 3), min(repeats, int(MOST_SECONDS / (time.perf_counter() - began))))
    if device == "cpu":
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
        return times
    marks = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(repeats)]
    torch.cuda.synchronize()
    for start, end in marks:
        start.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) / 1e3 for start, end in marks]


def summary(seconds: list[float], per: float = 1.0) -> Times:
    """Median and spread in microseconds, each time divided by ``per``."""
    low, mid, high = (
        torch.tensor(seconds, dtype=torch.float64).quantile(torch.tensor([0.2, 0.5, 0.8]).double()).tolist()
    )
    return {"median_us": mid / per * 1e6, "p20_us": low / per * 1e6, "p80_us": high / per * 1e6, "n": len(seconds)}


def step_time(recipes: list[Recipe], name: str, device: str, eval_every: int, repeats: int) -> Times:
    """Time of one step of the whole batch with its share of test losses, and of one seed's step."""
    state = State.fresh(recipes, device)
    chunk = 100 if len(recipes) <= 8 else 20
    step: Any = Eager(recipes[0], state) if name == EAGER else engine.make(recipes, name, state, eval_every, chunk)
    began = time.perf_counter()
    if isinstance(step, Graphed):
        step.advance_chunk()
        setup, steps, graphed = time.perf_counter() - began, step.chunk, step
        seconds = timed(lambda: graphed.advance_chunk(), device, repeats)
    else:

        def steps_with_test_loss() -> None:
            for i in range(10):
                if i % eval_every == 0:
                    step.test_loss()
                step.advance()

        steps_with_test_loss()
        setup, steps = time.perf_counter() - began, 10
        seconds = timed(steps_with_test_loss, device, repeats)
    size = {"engine": name, "recipe": recipes[0].name, "p": recipes[0].task.p, "seeds": len(recipes)}
    times = {"eval_every": eval_every, "setup_seconds": setup, "step": summary(seconds, steps)}
    return size | times | {"seed_step": summary(seconds, steps * len(recipes))}


def profile(recipes: list[Recipe], name: str, device: str, in_time: Callable[[], bool], n: int = 10) -> Times:
    """Where the time of a step with its test loss goes: microseconds and launches of each kernel, the longest first."""
    size = {"engine": name, "recipe": recipes[0].name, "seeds": len(recipes)}
    if not in_time():
        return size
    step = engine.make(recipes, name, State.fresh(recipes, device))

    def steps() -> None:
        for _ in range(n):
            step.test_loss()
            step.advance()

    steps()
    on = torch.profiler.ProfilerActivity.CPU if device == "cpu" else torch.profiler.ProfilerActivity.CUDA
    with torch.profiler.profile(activities=[on]) as found:
        steps()
        if device != "cpu":
            torch.cuda.synchronize()
    rows = [
        {"name": e.key, "launches": e.count / n, "us": (e.self_device_time_total or e.self_cpu_time_total) / n}
        for e in found.key_averages()
    ]
    rows.sort(key=lambda row: -row["us"])
    return size | {"step_us": sum(row["us"] for row in rows), "kernels": rows[:30]}


def batch(recipe: Recipe, n: int) -> list[Recipe]:
    """n independent runs of the recipe: the canonical one and seeds 1 … n-1 (shifted past it)."""
    return [recipe] + [recipe.with_seed(recipe.seed + i) for i in range(1, n)]


def ladder(
    recipes: Iterable[Recipe],
    engines: Iterable[str],
    seeds: Iterable[int],
    device: str,
    in_time: Callable[[], bool],
    n: int,
) -> list[Times]:
    """Every rung on every recipe: with ``folded`` between the sources' own step (of a transformer, one seed) and the
    kernels, the algebra's gain is not taken for theirs.
    """
    cells = [(r, e, s, every) for s in seeds for r in recipes for e in engines for every in (1, 10)]
    cells = [cell for cell in cells if cell[1] != EAGER or (cell[0].architecture == "transformer" and cell[2] == 1)]
    return [step_time(batch(r, s), e, device, every, n) for r, e, s, every in cells if in_time()]


def growth(
    recipe: Recipe,
    name: str,
    ps: Iterable[int],
    seeds: Iterable[int],
    device: str,
    in_time: Callable[[], bool],
    n: int,
) -> list[Times]:
    """Over p at one seed, and over seeds at the recipe's p."""
    wider = [[replace(recipe, task=Task(p, recipe.task.operation))] for p in ps]
    cells = [*wider, *(batch(recipe, s) for s in seeds)]
    return [step_time(rs, name, device, 10, n) for rs in cells if in_time()]


def ceilings(device: str, n: int = 20) -> Times:
    """What the device reaches on a float32 matrix product and on copying memory."""
    side, numbers = (8192, 2**28) if device != "cpu" else (256, 2**16)
    a, b = torch.randn(side, side, device=device), torch.randn(side, side, device=device)
    x = torch.empty(numbers, device=device)
    y = torch.empty_like(x)
    product = summary(timed(lambda: torch.mm(a, b), device, n))["median_us"]
    copy = summary(timed(lambda: y.copy_(x), device, n))["median_us"]
    return {"float32_tflops": 2 * side**3 / product / 1e6, "bytes_per_s": 8 * numbers / copy * 1e6}
