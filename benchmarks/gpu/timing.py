"""Timings of the engines and kernels on the device at hand, each beside its reference and the device's own ceilings.

Everything is warm and synchronised; what the first call costs (compilation, capture) is reported apart. Times are
medians with the 20th and 80th percentile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.gpu.eager import NETWORKS, Eager
from grok.recipe import Recipe
from grok.train.engines import engine
from grok.train.graph import Graphed
from grok.train.state import State

Times = dict[str, Any]
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
    ours = name not in NETWORKS
    step: Any = engine.make(recipes, name, state, eval_every) if ours else Eager(recipes[0], state, name)
    began = time.perf_counter()
    if isinstance(step, Graphed):
        step.advance_chunk()
        setup, steps, graphed = time.perf_counter() - began, 100 if len(recipes) <= 8 else step.chunk, step

        def chunks() -> None:
            """As in a run each is launched before the one before has ended."""
            for t in range(0, steps, graphed.chunk):
                wait = graphed.start_chunk(t)
            wait()

        seconds = timed(chunks, device, repeats)
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


def profile(recipes: list[Recipe], name: str, device: str, n: int = 10) -> Times:
    """Where the time of a step with its test loss goes: microseconds and launches of each kernel, the longest first."""
    size = {"engine": name, "recipe": recipes[0].name, "seeds": len(recipes)}
    step = engine.make(recipes, name, State.fresh(recipes, device))

    def steps() -> None:
        for _ in range(n):
            if isinstance(step, Graphed):
                step.inner.advance_tested()
            else:
                step.test_loss()
                step.advance()

    steps()
    on = torch.profiler.ProfilerActivity.CPU if device == "cpu" else torch.profiler.ProfilerActivity.CUDA
    with torch.profiler.profile(activities=[on]) as found:
        steps()
        if device != "cpu":
            torch.cuda.synchronize()
    # The profiler lists the host's calls, too. They are made while the device works, and are no part of its time.
    events = [e for e in found.key_averages() if device == "cpu" or e.self_device_time_total]
    rows = [
        {"name": e.key, "launches": e.count / n, "us": (e.self_device_time_total or e.self_cpu_time_total) / n}
        for e in events
    ]
    rows.sort(key=lambda row: -row["us"])
    return size | {"step_us": sum(row["us"] for row in rows), "kernels": rows[:30]}


def ceilings(device: str, n: int = 20) -> Times:
    """What the device reaches on a float32 matrix product and on copying memory."""
    side, numbers = (8192, 2**28) if device != "cpu" else (256, 2**16)
    a, b = torch.randn(side, side, device=device), torch.randn(side, side, device=device)
    x = torch.empty(numbers, device=device)
    y = torch.empty_like(x)
    product = summary(timed(lambda: torch.mm(a, b), device, n))["median_us"]
    copy = summary(timed(lambda: y.copy_(x), device, n))["median_us"]
    return {"float32_tflops": 2 * side**3 / product / 1e6, "bytes_per_s": 8 * numbers / copy * 1e6}
