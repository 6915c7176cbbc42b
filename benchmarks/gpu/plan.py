"""What the GPU suite runs at which size: in full on a GPU, or small on a CPU as a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.gpu.eager import NETWORKS
from grok.recipe import PIZZA, PUBLISHED, QUAD_MLP, Recipe, memorising
from grok.task import Task
from grok.train.choose import AUTO

# The sections in their order, with their shares: when a section starts, the time that is left is divided among it and
# those after it. The published runs come first, but other processes measure them only when timing has ended: they keep
# the CPU busy, which slows an engine that waits for Python. In timing, what no GPU has shown yet comes first.
CHECKS = ("kernels", "determinism")
TIMING = {"targets": 3, "beside": 3, "ladder": 8, "growth": 3, "ladder_alone": 5, "profile": 2}
SHARES = {"canonical": 8} | TIMING | {"compared": 2, "seeds": 14}
SECTIONS = (*CHECKS, *SHARES)

# The targets, for ``Plan.target`` with a test loss at every tenth step.
WHOLE_RUN_SECONDS = 3.0  # alone
SEED_STEP_US = 70.0  # of a seed's step in a batch of ``Plan.batch_seeds``


@dataclass(frozen=True)
class Plan:
    """What is run at which size. ``engine`` is timed; canonical runs and seeds are trained with ``trains``.

    ``compared``: canonical runs, each by these engines. ``target``: the recipe that the targets are about.
    """

    device: str
    engine: str
    trains: str
    canonical: list[Recipe]
    batches: list[list[Recipe]]
    checked: list[list[Recipe]]  # are the bits of these the same twice, and of the first alone?
    compared: tuple[list[Recipe], tuple[str, ...]]
    target: Recipe
    timed: list[Recipe]  # in the ladder and the profile; growth is of the first
    profiled: tuple[int, ...]  # numbers of seeds of a step whose launches are timed one by one
    ladder: tuple[str, ...]
    batch_seeds: int  # of a batch in the ladder and in the targets
    growth_p: tuple[int, ...]
    growth_seeds: tuple[int, ...]
    kernel_sizes: tuple[tuple[int, int, int], ...]
    repeats: int
    workers: int
    kernel_tests: bool = True


def _with_controls(recipes: tuple[Recipe, ...]) -> list[Recipe]:
    return [*recipes, *(memorising(r) for r in recipes if r.task.modular)]


def full_plan() -> Plan:
    """In each section by worth, since the time may run out. A batch of ``s5-mlp``, 250,000 steps, took 203 s on an
    H200, and would leave no time for the others.
    """
    mlp, transformer, difference, _ = PUBLISHED

    def batch(recipe: Recipe, seeds: range, p: int = 0) -> list[Recipe]:
        task = Task(p, recipe.task.operation) if p else recipe.task
        return [replace(recipe.with_seed(s), task=task) for s in seeds]

    eight = range(8)
    return Plan(
        device="cuda",
        engine="triton",
        trains=AUTO,
        canonical=_with_controls(PUBLISHED),
        batches=[
            *(batch(recipe, range(1, 8)) for recipe in (transformer, difference, mlp)),
            *(batch(recipe, range(3)) for recipe in (QUAD_MLP, PIZZA[1])),
            *(batch(recipe, eight, p) for p in (59, 97) for recipe in (transformer, mlp)),
            batch(PIZZA[0], range(3)),
        ],
        checked=[batch(recipe, eight) for recipe in PUBLISHED],
        compared=(_with_controls((difference,)), ("triton", "triton_tf32x3", "triton_ieee")),
        profiled=(1, 64),
        target=difference,
        timed=[transformer, mlp],
        ladder=(*NETWORKS, "folded", "cuda_graph", "triton_ieee", "triton_tf32x3", "triton"),
        batch_seeds=64,
        growth_p=(59, 113, 227),
        growth_seeds=(1, 2, 4, 8, 16, 32, 128),
        kernel_sizes=((1, 113, 512), (64, 113, 512)),
        repeats=12,
        workers=14,
    )


def rehearsal_plan(kernel_tests: bool = False) -> Plan:
    """The same path on a CPU in a minute: a small p, few steps, an engine that a CPU has."""

    def shrink(r: Recipe) -> Recipe:
        task = Task(7 if r.task.modular else 5, r.task.operation)
        return replace(r, task=task, d_model=8, d_mlp=16, steps=100, train_frac=0.6)

    small = [shrink(r) for r in PUBLISHED]
    return Plan(
        device="cpu",
        engine="folded",
        trains="folded",
        canonical=small,
        batches=[[r.with_seed(s) for s in range(2)] for r in small[:2]],
        checked=[[r.with_seed(s) for s in range(2)] for r in small[:2]],
        compared=(small[:1], ("folded",)),
        profiled=(1,),
        target=small[2],
        timed=[small[1], small[0]],
        ladder=(*NETWORKS, "folded"),
        batch_seeds=2,
        growth_p=(5, 7),
        growth_seeds=(1, 2),
        kernel_sizes=((1, 5, 16),),
        repeats=1,
        workers=1,
        kernel_tests=kernel_tests,
    )
