"""All fixtures trained again on a GPU: the canonical runs as fixtures, then a batch of seeds of each recipe."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save

from grok import files
from grok.fourier.keys import Keys
from grok.models import matrices
from grok.recipe import Recipe
from grok.train import finish, record, run
from grok.train.run import SNAPSHOT_EVERY, open_snapshots
from grok.train.state import Settings, State
from grok.verdicts.runs import GROKKED_TEST_LOSS

MOST_BYTES = 15_000_000  # of one result file, so that results travel
EVERY = 5  # a seed's trajectory keeps every fifth snapshot


@dataclass(frozen=True)
class Job:
    """A batch of runs of one recipe in its work folder."""

    recipes: list[Recipe]
    work: Path
    settings: Settings

    def train(self) -> dict[str, Any]:
        """Run to the end; what it took and where it ended."""
        state = run.train(self.recipes, self.work, self.settings, progress=False)
        started = json.loads((self.work / "run.json").read_text())
        return {
            "recipe": self.recipes[0].name,
            "seeds": [r.seed for r in self.recipes],
            "steps": state.step,
            "engine": started["engine"],
            "engine_check": started.get("engine_check", ""),
            "seconds": state.seconds,
            "train_loss": state.train_loss[:, -1].tolist(),
            "test_loss": state.test_loss[:, -1].tolist(),
            "grok_step": [_first(seed < GROKKED_TEST_LOSS) for seed in state.test_loss],
        }


def _first(holds: torch.Tensor) -> int | None:
    """Index of the first entry that is true; a loss that was not computed is NaN, and no step where it groks."""
    found = holds.nonzero()
    return int(found[0]) if len(found) else None


def write_finals(jobs: list[Job], path: Path) -> None:
    """What a run has shown, until its fixture is measured: ``<recipe>/weights`` [P], ``/train_loss``, ``/test_loss``.

    Losses are of every hundredth step.
    """
    tensors: dict[str, np.ndarray] = {}
    for job in jobs:
        state, name = State.load(job.work / "state.safetensors", "cpu"), job.recipes[0].name
        tensors[f"{name}/weights"] = state.flat[0].numpy()
        for column in ("train_loss", "test_loss"):
            tensors[f"{name}/{column}"] = getattr(state, column)[0, ::SNAPSHOT_EVERY].numpy()
    recipes = json.dumps([job.recipes[0].to_json() for job in jobs])
    files.write_bytes(path, save(tensors, metadata={"recipes": recipes}))


def finish_fixture(work: Path, folder: Path) -> str:
    """The fixture of a canonical run (in a process of its own: the measures of its snapshots take a core a minute)."""
    torch.set_num_threads(1)
    finish.finish(work, folder, progress=False)
    return str(folder)


def seed_columns(work: Path, i: int) -> tuple[Keys | None, list[int], dict[str, list[float | None]]]:
    """K, steps and columns of run i of a batch, at every fifth snapshot."""
    torch.set_num_threads(1)
    recipe = _recipes(work)[i]
    state = State.load(work / "state.safetensors", "cpu")
    snapshots = open_snapshots(work, recipe, len(_recipes(work)))[::EVERY, i]
    steps = list(range(0, recipe.steps + 1, SNAPSHOT_EVERY * EVERY))
    train_loss, test_loss = (_finite(loss[i, steps]) for loss in (state.train_loss, state.test_loss))
    keys, columns = record.columns(recipe, np.array(snapshots), steps, train_loss, test_loss)
    return keys, steps, columns


def _standing(keys: Keys | None) -> tuple[int, ...] | None:
    """K, unless no frequency stands out."""
    return None if keys is None or keys.by_rank else keys.frequencies


def write_seeds(work: Path, out: Path, found: list[tuple] | None = None) -> list[Path]:
    """Final weights of a batch, and its trajectories once they are ``found``, in as many files as their size asks for.

    ``<recipe>-seeds<first>-<last>.safetensors``: ``seed<N>/weights`` flat [P] float32 in the order of
    ``grok.models.matrices.shapes``, ``seed<N>/trajectory`` [columns, steps] float64 (NaN where null), ``…/steps``;
    metadata: the recipes, the names of the columns and the key frequencies as JSON.
    """
    recipes, state = _recipes(work), State.load(work / "state.safetensors", "cpu")
    at_once, paths = max(1, MOST_BYTES // bytes_of_seed(recipes[0])), []
    for first in range(0, len(recipes), at_once):
        rows = range(first, min(first + at_once, len(recipes)))
        tensors = {f"seed{recipes[i].seed}/weights": state.flat[i].numpy() for i in rows}
        metadata = {"recipes": json.dumps([recipes[i].to_json() for i in rows])}
        if found is not None:
            for i in rows:
                _, steps, columns = found[i]
                table = [list(c) for c in columns.values()]
                tensors[f"seed{recipes[i].seed}/trajectory"] = np.array(table, dtype=np.float64)
                tensors[f"seed{recipes[i].seed}/steps"] = np.array(steps)
            metadata["columns"] = json.dumps(list(found[0][2]))
            metadata["key_frequencies"] = json.dumps([_standing(found[i][0]) for i in rows])
        label = f"seeds{recipes[first].seed}-{recipes[rows[-1]].seed}"
        paths.append(out / f"{recipes[0].name}-{label}.safetensors")
        files.write_bytes(paths[-1], save(tensors, metadata=metadata))
    return paths


def bytes_of_seed(recipe: Recipe) -> int:
    """Of a seed's weights, trajectory and steps in a file; its header comes on top."""
    steps = recipe.steps // (SNAPSHOT_EVERY * EVERY) + 1
    return 4 * matrices.size(recipe) + 8 * (len(record.COLUMNS) + 1) * steps


def pack(folders: list[Path], root: Path, out: Path) -> list[Path]:
    """Folders under ``root`` into fixtures-0.tar, fixtures-1.tar …, none above ``MOST_BYTES`` if a folder fits.

    Each goes to the first archive that has room.
    """
    archives: list[list[Path]] = []
    totals: list[int] = []
    for folder in folders:
        size = sum(f.stat().st_size for f in folder.iterdir())
        at = next((i for i, total in enumerate(totals) if total + size <= MOST_BYTES), len(totals))
        if at == len(totals):
            archives.append([])
            totals.append(0)
        archives[at].append(folder)
        totals[at] += size
    paths = []
    for i, group in enumerate(archives):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for folder in group:
                archive.add(folder, arcname=str(folder.relative_to(root)))
        paths.append(out / f"fixtures-{i}.tar")
        files.write_bytes(paths[-1], buffer.getvalue())
    return paths


def _recipes(work: Path) -> list[Recipe]:
    return [Recipe.from_json(r) for r in json.loads((work / "run.json").read_text())["recipes"]]


def _finite(losses: torch.Tensor) -> list[float | None]:
    return [x if np.isfinite(x) else None for x in losses.tolist()]
