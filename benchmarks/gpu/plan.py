"""What the GPU suite runs at which size: in full on a GPU, or small on a CPU as a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from grok.recipe import PIZZA, PUBLISHED, QUAD_MLP, RECIPES, Recipe, memorising
from grok.task import Task
from grok.train.choose import AUTO

# Shares of the time after which a section begins nothing new.
CANONICAL_UNTIL, TIMING_UNTIL, SEEDS_UNTIL = 0.4, 0.65, 1.0


@dataclass(frozen=True)
class Plan:
    """What is run at which size. ``engine`` is timed; canonical runs and seeds are trained with ``trains``.

    ``compared``: a canonical run once more with another engine.
    """

    device: str
    engine: str
    trains: str
    canonical: list[Recipe]
    batches: list[list[Recipe]]
    checked: list[list[Recipe]]  # are the bits of these the same twice, and of the first alone?
    compared: tuple[Recipe, str]
    profiled: tuple[int, ...]  # numbers of seeds of a step whose launches are timed one by one
    ladder: tuple[str, ...]
    ladder_seeds: tuple[int, ...]
    growth_p: tuple[int, ...]
    growth_seeds: tuple[int, ...]
    kernel_sizes: tuple[tuple[int, int, int], ...]
    repeats: int
    workers: int
    kernel_tests: bool = True


def _with_controls(recipes: tuple[Recipe, ...]) -> list[Recipe]:
    return [*recipes, *(memorising(r) for r in recipes if r.task.modular)]


def full_plan() -> Plan:
    """By worth: published runs, the ladder, seeds. A batch of ``s5-mlp``, 250,000 steps, took 203 s on an H200, and
    would leave no time for the others.
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
        compared=(RECIPES["modsub-transformer"], "triton_tf32x3"),
        profiled=(1, 64),
        ladder=("eager", "folded", "cuda_graph", "triton", "triton_tf32x3"),
        ladder_seeds=(1, 64),
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
        compared=(small[0], "folded"),
        profiled=(1,),
        ladder=("eager", "folded"),
        ladder_seeds=(1, 2),
        growth_p=(5, 7),
        growth_seeds=(1, 2),
        kernel_sizes=((1, 5, 16),),
        repeats=1,
        workers=1,
        kernel_tests=kernel_tests,
    )
