"""Runs trained on a GPU, and what comes back of them: fixtures, packed in archives."""

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
from grok.recipe import RECIPES, Recipe
from grok.store.light import lighten
from grok.train import finish, run
from grok.train.run import SNAPSHOT_EVERY
from grok.train.state import Settings, State
from grok.verdicts.runs import GROKKED_TEST_LOSS

MOST_BYTES = 15_000_000  # of one result file, so that results travel


@dataclass(frozen=True)
class Job:
    """A batch of runs of one recipe in its work folder. ``under``: a folder above its fixtures, which sets it apart."""

    recipes: list[Recipe]
    work: Path
    settings: Settings
    under: str = ""

    @property
    def name(self) -> str:
        """The recipe's, and p where it is not the published one; below ``under``."""
        recipe = self.recipes[0]
        published = RECIPES.get(recipe.name, recipe).task
        name = recipe.name if recipe.task == published else f"{recipe.name}-p{recipe.task.p}"
        return f"{self.under}/{name}" if self.under else name

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
            "us_per_seed_step": state.seconds / state.step / len(self.recipes) * 1e6,
            "train_loss": state.train_loss[:, -1].tolist(),
            "test_loss": state.test_loss[:, -1].tolist(),
            "grok_step": [_first(seed < GROKKED_TEST_LOSS) for seed in state.test_loss],
        }


def _first(holds: torch.Tensor) -> int | None:
    """Index of the first entry that is true; a loss that was not computed is NaN, and no step where it groks."""
    found = holds.nonzero()
    return int(found[0]) if len(found) else None


def finals(job: Job) -> dict[str, np.ndarray]:
    """What a job's runs have shown, until their fixtures are measured: ``<recipe>/seed<N>/weights`` [P], ``/losses``.

    Losses are those of training and of the test pairs, at every hundredth step: [2, steps].
    """
    state = State.load(job.work / "state.safetensors", "cpu")
    tensors: dict[str, np.ndarray] = {}
    for i, recipe in enumerate(job.recipes):
        name = f"{job.name}/seed{recipe.seed}"
        losses = torch.stack([loss[i, ::SNAPSHOT_EVERY] for loss in (state.train_loss, state.test_loss)])
        tensors |= {f"{name}/weights": state.flat[i].numpy(), f"{name}/losses": losses.numpy()}
    return tensors


def write_finals(jobs: list[Job], out: Path) -> list[Path]:
    """``finals`` of every job in files finals-0.safetensors …, with the recipes as JSON in each file's metadata."""
    for path in out.glob("finals-*.safetensors"):
        path.unlink()
    recipes = json.dumps([recipe.to_json() for job in jobs for recipe in job.recipes])
    groups: list[dict[str, np.ndarray]] = []
    for job in jobs:
        for name, tensor in finals(job).items():
            if not groups or sum(t.nbytes for t in groups[-1].values()) + tensor.nbytes > MOST_BYTES:
                groups.append({})
            groups[-1][name] = tensor
    paths = [out / f"finals-{i}.safetensors" for i in range(len(groups))]
    for path, tensors in zip(paths, groups, strict=True):
        files.write_bytes(path, save(tensors, metadata={"recipes": recipes}))
    return paths


def finish_fixture(work: Path, i: int, folder: Path, roles: tuple[str, ...]) -> str:
    """The fixture of run i of a job in the light form, with the checkpoints of ``roles``.

    It runs in a process of its own: to measure the snapshots of a run takes a core a minute.
    """
    torch.set_num_threads(1)
    whole = work / "whole" / f"seed{i}"
    finish.finish_seed(work, i, whole, progress=False)
    lighten(whole, folder, roles)
    return str(folder)


def pack(folders: list[Path], root: Path, out: Path) -> list[Path]:
    """Folders under ``root`` into fixtures-0.tar, fixtures-1.tar …, none above ``MOST_BYTES`` if a folder fits.

    Each goes to the first archive that has room.
    """
    for path in out.glob("fixtures-*.tar"):
        path.unlink()
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
