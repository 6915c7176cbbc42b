"""Timings of the engines and kernels on the device at hand, each beside its reference and the device's own ceilings.

Everything is warm and synchronised; what the first call costs (compilation, capture) is reported apart. Times are
medians with the 20th and 80th percentile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.eager import Eager
from grok.kernels.adamw import reference as adamw_reference
from grok.kernels.cross_entropy import reference as cross_entropy_reference
from grok.kernels.fixed_order import reference as fixed_reference
from grok.kernels.relu_readout import reference as readout_reference
from grok.kernels.token_mix import reference as mix_reference
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


@dataclass(frozen=True)
class Case:
    """One kernel at one size: the two implementations, and the least work it could do."""

    name: str
    kernel: Callable[[], object]
    reference: Callable[[], object]
    flops: float
    bytes: float


def cases(device: str, n_seeds: int, p: int = 113, h: int = 4, m: int = 512) -> list[Case]:
    """The kernels of a training step at 30 % of all pairs."""
    from grok.kernels.adamw import triton as adamw_triton
    from grok.kernels.cross_entropy import triton as cross_entropy_triton
    from grok.kernels.fixed_order import triton as fixed_triton
    from grok.kernels.relu_readout import triton as readout_triton
    from grok.kernels.token_mix import triton as mix_triton
    from grok.train.engines.chains import padded

    n, c, s, k = int(0.3 * p * p), padded(p), n_seeds, 32
    d, size = m + c, 226_048

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device)

    pairs = torch.stack([Task(p).pairs()[torch.randperm(p * p)[:n]] for _ in range(s)]).to(device)
    labels = torch.randint(p, (s, n), device=device)
    segments = mix_triton.Segments.of(pairs, p)
    scores, values, constant = random(s, 2 * p + 1, h), random(s, h, 2 * p + 1, d), random(s, 1, d)
    mixed, out, weights, pair_dscores = random(s, n, d), random(s, n, d), *(random(s, n, 3, h) for _ in range(2))
    pre, readout, logits, result = mixed[..., :m], random(s, m, c), random(s, n, c), random(s, n, c)
    partial, dreadout, transposed = random(s, readout_triton.SPLITS, m, c), random(s, m, c), random(s, c, m)
    into = {"dscores": torch.empty_like(scores), "dvalues": torch.empty_like(values), "totals": random(s, p, d)}
    v, w_or = random(s, h, 2 * p + 1, k), random(s, h, k, d)
    products = [fixed_reference.Product(values[:, i], ((v[:, i], w_or[:, i]),)) for i in range(h)]
    multiply = fixed_triton.Products(products)
    leaves = scores.clone().requires_grad_(), random(*values.shape).requires_grad_()
    expected = mix_reference.token_mix(*leaves, constant, pairs)
    flat, grad, first, second = random(s, size), random(s, size), random(s, size), random(s, size).square()
    # updates of the same numbers again and again: of both, and the count outruns no table
    count, table = adamw_triton.counts(flat, 0), adamw_reference.corrections(100_000, (0.9, 0.98)).to(device)
    settings: Any = {"lr": 1e-3, "betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 1.0}
    state = (flat, grad, first, second, count, table)
    table_bytes = 4.0 * s * h * (2 * p + 1) * d
    backward = lambda: torch.autograd.grad(expected, leaves, mixed, retain_graph=True)  # noqa: E731
    return [
        Case(
            "cross_entropy",
            lambda: cross_entropy_triton.mean_loss(logits, labels, grad=result),
            lambda: cross_entropy_reference.loss_and_grad(logits, labels),
            10.0 * s * n * c,
            8.0 * s * n * c,
        ),
        Case(
            "token_mix",
            lambda: mix_triton.token_mix(scores, values, constant, segments, mixed=out, weights=weights),
            lambda: mix_reference.token_mix(scores, values, constant, pairs),
            6.0 * s * n * h * d,
            4.0 * s * n * d + table_bytes,
        ),
        Case(
            "token_mix_backward",
            lambda: mix_triton.token_mix_backward(mixed, values, weights, segments, **into, pair_dscores=pair_dscores),
            backward,
            10.0 * s * n * h * d,
            4.0 * s * n * d + 2 * table_bytes,
        ),
        Case(
            "relu_readout",
            lambda: readout_triton.relu_readout(pre, readout, mixed[..., m:], logits=result),
            lambda: readout_reference.relu_readout(pre, readout, mixed[..., m:]),
            2.0 * s * n * m * c,
            4.0 * s * (n * (d + c) + m * c),
        ),
        Case(
            "relu_readout_backward",
            lambda: readout_triton.relu_readout_backward(
                logits, pre, transposed, dpre=out[..., :m], dunembedding=dreadout, partial=partial
            ),
            lambda: readout_reference.relu_readout_backward(logits, pre, readout),
            4.0 * s * n * m * c,
            4.0 * s * (n * (2 * m + c) + 2 * m * c),
        ),
        Case(
            "products",
            multiply,
            lambda: fixed_reference.multiply(products),
            2.0 * s * h * (2 * p + 1) * k * d,
            4.0 * s * h * ((2 * p + 1) * k + k * d) + table_bytes,
        ),
        Case(
            "adamw",
            lambda: adamw_triton.adamw(*state, **settings),
            lambda: adamw_reference.adamw(*state, **settings),
            15.0 * s * size,
            28.0 * s * size,
        ),
    ]


def kernel_times(
    sizes: Iterable[tuple[int, int, int]], peak: Times, device: str, in_time: Callable[[], bool], repeats: int
) -> list[Times]:
    """Every kernel beside its reference, and its share of the nearer ceiling; sizes are (seeds, p, d_mlp)."""
    rows = []
    for n_seeds, p, m in sizes:
        for case in cases(device, n_seeds, p, m=m) if in_time() else []:
            kernel, reference = (summary(timed(f, device, repeats)) for f in (case.kernel, case.reference))
            floor = max(case.flops / peak["float32_tflops"] / 1e12, case.bytes / peak["bytes_per_s"])
            rows.append(
                {
                    "kernel": case.name,
                    "seeds": n_seeds,
                    "p": p,
                    "triton": kernel,
                    "reference": reference,
                    "share_of_ceiling": floor / kernel["median_us"] * 1e6,
                }
            )
    return rows
