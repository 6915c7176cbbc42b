"""``grok train``: trains a recipe into a fixture, and continues a stopped run or a finished one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from grok.commands import options
from grok.errors import GrokError

if TYPE_CHECKING:
    from grok.recipe import Recipe

KEEP = "keep"  # a file in the work folder: it stays when the run has finished


def train(
    recipe: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")] = None,
    /,
    set_: options.Set = (),
    recipe_file: Path | None = None,
    split: Path | None = None,
    seed: int | None = None,
    steps: int | None = None,
    device: str = "auto",
    out: Path | None = None,
    engine: str | None = None,
    threads: int = 0,
    eval_every: int = 10,
    keep_work: bool = False,
    light: bool = False,
) -> int:
    """Train RECIPE and write a fixture. Ctrl-C stops it; the same command continues where it stopped.

    More --steps extend a run: one that was stopped, or a finished one that was trained with --keep-work.

    Args:
        recipe: a name that `grok list` shows; none if --recipe-file is given.
        recipe_file: a recipe of your own in TOML: base = "RECIPE" and what differs, or every field. README.md has one.
        split: file with your train pairs, as indices a·n + b: text, a JSON list, or .npy. All others are test pairs.
        seed: seed of the initial weights and of the split; default: that of the published run.
        steps: number of steps; default: that of the published run.
        device: auto (a GPU if there is one), cpu, cuda or cuda:N.
        out: folder of the fixture; default: runs/RECIPE/seedN.
        engine: how a step is computed: manual (CPU), folded (any device), definition (CPU, slow: the hooked model with
            autograd, with which the others are compared), cuda_graph or triton (GPU); default: the fastest. On a GPU
            that one is checked against folded first.
        threads: number of CPU threads; 0 lets torch choose. Another number gives other rounding.
        eval_every: number of steps between two test losses.
        keep_work: keep state and snapshots in OUT/work, hundreds of MB, so that more --steps can extend the run.
        light: keep, of the checkpoints, the memorised one only, as the shipped seeds that are not the published ones.
    """
    from grok.store.light import lighten
    from grok.train import choose, finish, run
    from grok.train.engines import engine as step
    from grok.train.state import Settings

    chosen = _recipe(recipe, recipe_file, set_, steps, seed, split)
    _at_least(1, "--eval-every", eval_every)
    _at_least(0, "--threads", threads)
    settings = Settings(step.device_of(device), engine or choose.AUTO, threads, eval_every)
    folder = out or Path("runs") / chosen.name / f"seed{chosen.seed}"
    work = folder / "work"
    if (folder / "card.json").exists() and _is_finished(chosen, folder):
        _clear(work, kept=keep_work)
        print(f"{folder}: already finished")
        return 0
    try:
        run.train([chosen], work, settings)
    except run.Diverged as error:
        raise GrokError(f"{error}: give a smaller lr than {chosen.lr}, and remove {work} before") from None
    if keep_work:
        (work / KEEP).touch()
    if light:
        finish.finish(work, work / "whole")
        lighten(work / "whole", folder)
    else:
        finish.finish(work, folder)
    _clear(work)
    print(f"{folder}: {chosen.name}, seed {chosen.seed}, {chosen.steps} steps")
    return 0


def _recipe(
    name: str | None, file: Path | None, set_: tuple[str, ...], steps: int | None, seed: int | None, split: Path | None
) -> Recipe:
    """The recipe that these options describe, checked. Raises GrokError."""
    from grok.store import pairs
    from grok.train import fields

    settings = set_ if steps is None else (*set_, f"steps={steps}")
    chosen = fields.changed(fields.chosen(name, file), fields.single(settings))
    if seed is not None:
        chosen = fields.check(chosen.with_seed(seed))
    return chosen if split is None else pairs.with_split(chosen, split)


def _is_finished(chosen: Recipe, folder: Path) -> bool:
    """Whether this folder holds the run with as many steps; False if it is to be extended, and can be.

    Raises GrokError if it holds another run, one with more steps, or one whose work folder is gone.
    """
    from grok.store.fixture import load_fixture

    there = load_fixture(folder).recipe
    told = f"{folder} holds another run"
    if there.name != chosen.name:
        raise GrokError(f"{told}: {there.name}, expected {chosen.name}; give another --out")
    for field, (here, expected) in there.differences(replace(chosen, steps=there.steps)).items():
        raise GrokError(f"{told}: {field} is {here}, expected {expected}; give another --out")
    if there.steps == chosen.steps:
        return True
    if there.steps > chosen.steps:
        raise GrokError(
            f"{folder} has {there.steps} steps, more than {chosen.steps}; give another --out for a shorter run"
        )
    if not (folder / "work" / "state.safetensors").exists():
        raise GrokError(
            f"{folder} has {there.steps} steps and cannot go on to {chosen.steps}: its state was removed, as always "
            "without --keep-work; train it again with another --out"
        )
    return False


def _clear(work: Path, kept: bool = False) -> None:
    """Remove the work folder, unless it is to be kept for more steps."""
    if work.exists() and not kept and not (work / KEEP).exists():
        shutil.rmtree(work)


def _at_least(least: int, option: str, value: int) -> None:
    if value < least:
        raise GrokError(f"{option} must be at least {least}, got {value}")
