"""What the GPU suite runs at which size: in full on a GPU, or small on a CPU as a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from grok.recipe import PIZZA, PUBLISHED, RECIPES, Recipe, memorising
from grok.task import Task
from grok.train.choose import AUTO

# Shares of the time after which a section begins nothing new. What canonical runs are left then come after the seeds.
CANONICAL_UNTIL, TIMING_UNTIL, SEEDS_UNTIL = 0.45, 0.7, 1.0


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
    compared: tuple[Recipe, str]
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
    """Canonical runs by their worth: the published recipes and their controls first. A run of 250,000 steps has 2,500
    snapshots to measure, which takes longer than the suite: the concatenated MLPs are not in it.
    """
    return Plan(
        device="cuda",
        engine="triton",
        trains=AUTO,
        canonical=[*_with_controls(PUBLISHED), *_with_controls(PIZZA)],
        batches=[[r.with_seed(s) for s in range(16)] for r in PUBLISHED],
        compared=(RECIPES["modsub-transformer"], "triton_tf32x3"),
        ladder=("eager", "folded", "cuda_graph", "triton", "triton_tf32x3"),
        ladder_seeds=(1, 16),
        growth_p=(59, 113, 227),
        growth_seeds=(1, 2, 4, 16, 64, 256),
        kernel_sizes=((1, 113, 512), (16, 113, 512)),
        repeats=12,
        workers=12,
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
        compared=(small[0], "folded"),
        ladder=("eager", "folded"),
        ladder_seeds=(1, 2),
        growth_p=(5, 7),
        growth_seeds=(1, 2),
        kernel_sizes=((1, 5, 16),),
        repeats=1,
        workers=1,
        kernel_tests=kernel_tests,
    )
