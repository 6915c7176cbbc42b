"""``grok train``: trains a recipe into a fixture, and continues a stopped run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from grok.errors import GrokError


def train(
    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")],
    /,
    seed: int | None = None,
    steps: int | None = None,
    device: str = "cpu",
    out: Path | None = None,
    engine: str | None = None,
    threads: int = 0,
    eval_every: int = 10,
    light: bool = False,
) -> int:
    """Train RECIPE and write a fixture. Ctrl-C stops it; the same command continues where it stopped.

    Args:
        recipe: a name that `grok list` shows.
        seed: seed of the initial weights and of the split; default: that of the published run.
        steps: number of steps; default: that of the published run.
        device: cpu, cuda or cuda:N.
        out: folder of the fixture; default: runs/RECIPE/seedN.
        engine: how a step is computed: manual (CPU; the default there for what it can train), folded (any device),
            definition (CPU, slow: the hooked model with autograd, with which the others are compared), or a faster one
            if there is a GPU.
        threads: number of CPU threads; 0 lets torch choose. Another number gives other rounding.
        eval_every: number of steps between two test losses.
        light: keep, of the checkpoints, the memorised one only, as the shipped seeds that are not the published ones.
    """
    from grok.recipe import get_recipe
    from grok.store.light import lighten
    from grok.train import finish, run
    from grok.train.engines import manual
    from grok.train.state import Settings

    chosen = get_recipe(recipe)
    if seed is not None:
        chosen = chosen.with_seed(seed)
    if steps is not None:
        chosen = replace(chosen, steps=_positive("--steps", steps))
    _positive("--eval-every", eval_every)
    folder = out or Path("runs") / chosen.name / f"seed{chosen.seed}"
    work = folder / "work"
    if (folder / "card.json").exists():
        if work.exists():  # stopped after the fixture was written and before this was removed
            shutil.rmtree(work)
            print(f"{folder}: already finished")
            return 0
        raise GrokError(f"{folder} already holds a finished fixture; remove the folder, or give another --out")
    settings = Settings(
        device=device,
        engine=engine or ("manual" if device == "cpu" and chosen.architecture in manual.KNOWN else "folded"),
        threads=threads,
        eval_every=eval_every,
    )
    run.train([chosen], work, settings)
    if light:
        finish.finish(work, work / "whole")
        lighten(work / "whole", folder)
    else:
        finish.finish(work, folder)
    shutil.rmtree(work)
    print(f"{folder}: {chosen.name}, seed {chosen.seed}, {chosen.steps} steps")
    return 0


def _positive(option: str, value: int) -> int:
    if value < 1:
        raise GrokError(f"{option} must be at least 1, got {value}")
    return value
