"""From a finished training run to a fixture: which checkpoints are kept, and why those.

- ``initial``: step 0, the control *untrained*.
- ``memorised``: the control *memorised*, a checkpoint after train loss < 1e-4 and before test accuracy passes 0.5 (a
  convention of this project). Of these checkpoints the *first* is taken. The longer a model trains after memorising,
  the more of the generalising circuit it already holds, and a claim that holds on half a circuit need not be vacuous.
  The rule alone determines the first one, so nobody can choose a checkpoint after seeing the claims.

The test accuracy of plain addition passes 0.5 before its train loss falls to 1e-4, so no checkpoint of it lies in that
interval. Then ``memorised`` is the first checkpoint with train loss < 1e-4 that has not grokked, and the notes of the
card say so. This control already generalises in part, so it is harder for a claim to fail on it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grok.errors import GrokError
from grok.fourier.keys import Keys
from grok.models import matrices as weights
from grok.recipe import CONTROL, Recipe
from grok.store.fixture import save_fixture
from grok.store.run import Column, Run
from grok.train import record
from grok.train.run import SNAPSHOT_EVERY, open_snapshots
from grok.train.state import State
from grok.verdicts.runs import GROKKED_TEST_LOSS

MEMORISED_CHECKPOINT_TRAIN_LOSS = 1e-4  # both of the role *memorised*, see above
MEMORISED_CHECKPOINT_TEST_ACCURACY = 0.5
DETERMINISM = "same bits on the same machine with the same recipe, seed, engine, threads, torch and commit"


def finish(work: Path, out: Path, *, progress: bool = True) -> list[Path]:
    """Write the fixture of a finished work folder to ``out``; of a batch, each seed's to ``out/seed<N>``.

    Returns the folders. Raises GrokError if the run has not reached its last step.
    """
    recipes = _recipes(work)
    folders = [out] if len(recipes) == 1 else [out / f"seed{r.seed}" for r in recipes]
    for i, folder in enumerate(folders):
        finish_seed(work, i, folder, progress=progress)
    return folders


def finish_seed(work: Path, i: int, folder: Path, *, progress: bool = True) -> None:
    """Write the fixture of run i of a finished work folder. Raises GrokError like ``finish``."""
    run, recipes = json.loads((work / "run.json").read_text()), _recipes(work)
    state = State.load(work / "state.safetensors", "cpu")
    if state.step != recipes[0].steps:
        raise GrokError(f"{work}: the run is at step {state.step} of {recipes[0].steps}; the same `grok train` goes on")
    snapshots = open_snapshots(work, recipes[0], len(recipes))
    _finish_one(recipes[i], snapshots[:, i], state, i, run, folder, progress)


def _recipes(work: Path) -> list[Recipe]:
    return [Recipe.from_json(r) for r in json.loads((work / "run.json").read_text())["recipes"]]


def _finish_one(
    recipe: Recipe, snapshots: np.ndarray, state: State, i: int, run: dict[str, Any], folder: Path, progress: bool
) -> None:
    steps = list(range(0, recipe.steps + 1, SNAPSHOT_EVERY))
    final = state.flat[i]
    if steps[-1] != recipe.steps:  # --steps that is no multiple of 100: the final weights end the trajectory
        steps.append(recipe.steps)
        snapshots = np.concatenate([snapshots, final.numpy()[None]])
    train_loss, test_loss = (_numbers(loss[i, steps]) for loss in (state.train_loss, state.test_loss))
    keys, columns = record.columns(recipe, snapshots, steps, train_loss, test_loss, progress=progress)
    roles, notes = choose(recipe, steps, columns)

    def matrices(step: int) -> weights.Weights:
        return weights.views(torch.from_numpy(np.array(snapshots[steps.index(step)])), recipe)

    save_fixture(
        folder,
        recipe,
        weights.views(final, recipe),
        {step: matrices(step) for step in sorted(set(roles.values()))},
        roles,
        _run(recipe, steps, keys, columns).to_json(),
        {
            **{key: run[key] for key in ("device", "engine", "threads", "torch", "commit")},
            **{key: run[key] for key in ("engine_check",) if key in run},
            "determinism": DETERMINISM,
            "seconds": round(state.seconds, 1),
            **{name: columns[name][-1] for name in ("train_loss", "test_loss", "train_accuracy", "test_accuracy")},
            "notes": notes,
        },
    )


def _run(recipe: Recipe, steps: list[int], keys: Keys | None, columns: dict[str, Column]) -> Run:
    ranked = keys is not None and keys.by_rank
    return Run(
        recipe,
        steps,
        None if keys is None or ranked else keys.frequencies,
        columns,
        ranked_frequencies=keys.frequencies if keys is not None and ranked else None,
    )


def choose(recipe: Recipe, steps: list[int], columns: dict[str, Column]) -> tuple[dict[str, int], list[str]]:
    """Role → step of the checkpoints to keep, and notes for the card.

    A control run keeps none. Its final model has memorised, and its initial weights are those of the recipe of which it
    is a control.
    """
    if recipe.name.endswith(CONTROL):
        return {}, []
    train_loss, test_loss, accuracy = (columns[name] for name in ("train_loss", "test_loss", "test_accuracy"))
    n = len(steps)
    grok = next((i for i in range(n) if _below(test_loss[i], GROKKED_TEST_LOSS)), None)
    half = next((i for i in range(n) if not _below(accuracy[i], MEMORISED_CHECKPOINT_TEST_ACCURACY)), n)
    small = [i for i in range(n if grok is None else grok) if _below(train_loss[i], MEMORISED_CHECKPOINT_TRAIN_LOSS)]
    roles, notes = {"initial": 0}, []
    if small:
        first = small[0]
        roles["memorised"] = steps[first]
        if first >= half:
            notes.append(
                f"memorised is at step {steps[first]} with test accuracy {accuracy[first]:.3f}: train loss is "
                f"< {MEMORISED_CHECKPOINT_TRAIN_LOSS:g} only after test accuracy has passed "
                f"{MEMORISED_CHECKPOINT_TEST_ACCURACY:g}"
            )
    else:
        bound = f"{MEMORISED_CHECKPOINT_TRAIN_LOSS:g}"
        notes.append(f"no memorised checkpoint: train loss is never < {bound} before the grok")
    if grok is None:
        notes.append(f"test loss never falls under {GROKKED_TEST_LOSS:g}")
    return roles, notes


def _below(value: float | None, bound: float) -> bool:
    return value is not None and value < bound


def _numbers(losses: torch.Tensor) -> Column:
    """Losses as JSON can hold them; None where none was computed (steps between evaluations)."""
    return [loss if math.isfinite(loss) else None for loss in losses.tolist()]
