"""``python -m benchmarks.gpu.launches``: what a step of the ``triton`` engine launches. It needs no GPU.

The number of launches does not depend on the number of seeds. A deep product is made in parts, which takes one more.
The networks here are small, but have so many neurons that as many products are deep as at the published sizes.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

from benchmarks.gpu.recording import recording
from grok.recipe import RECIPES, Recipe
from grok.task import Task

PARTS = 272  # neurons with which products are made in parts, as at a recipe's own size


def small(name: str, d_mlp: int = 16) -> Recipe:
    """The recipe of this name, small for the interpreter."""
    return replace(RECIPES[name], task=Task(5), train_frac=0.6, d_model=8, d_mlp=d_mlp, steps=20)


def launches(recipes: list[Recipe], device: str) -> dict[str, list[str]]:
    """Names of the launches of a train step, of a test loss, and of a step with its test loss."""
    from grok.train.engines.fused import Fused
    from grok.train.state import State

    engine, found = Fused(recipes, State.fresh(recipes, device), "bf16x6"), {}
    steps = {
        "train step": engine.advance,
        "test loss": engine.test_loss,
        "step with its test loss": engine.advance_tested,
    }
    for what, step in steps.items():
        with recording() as record:
            step()
        found[what] = record.names
    return found


def main() -> None:
    for name in ("modadd-transformer", "modadd-mlp"):
        for what, names in launches([small(name, PARTS)], "cpu").items():
            parts = ", ".join(f"{n} {kernel}" for kernel, n in Counter(names).items())
            print(f"{name}, {what}: {len(names)} ({parts})")


if __name__ == "__main__":
    os.environ["TRITON_INTERPRET"] = "1"  # before any kernel is imported
    main()
