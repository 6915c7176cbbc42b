"""``python -m benchmarks.gpu.launches``: what a step of the ``triton`` engine launches. It needs no GPU.

The number of launches does not depend on p, on widths or on the number of seeds, so the networks are small.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

from benchmarks.gpu.recording import recording
from grok.recipe import RECIPES, Recipe
from grok.task import Task


def small(name: str) -> Recipe:
    """The recipe of this name, as small as the interpreter needs it."""
    return replace(RECIPES[name], task=Task(5), train_frac=0.6, d_model=8, d_mlp=16, steps=20)


def launches(recipes: list[Recipe], device: str) -> dict[str, list[str]]:
    """Names of the launches of a train step, of a test loss, and of a step with its test loss."""
    from grok.train.engines.fused import Fused
    from grok.train.state import State

    engine, found = Fused(recipes, State.fresh(recipes, device)), {}
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
        for what, names in launches([small(name)], "cpu").items():
            parts = ", ".join(f"{n} {kernel}" for kernel, n in Counter(names).items())
            print(f"{name}, {what}: {len(names)} ({parts})")


if __name__ == "__main__":
    os.environ["TRITON_INTERPRET"] = "1"  # before any kernel is imported
    main()
