"""The work of a worker on a batch: it trains the batch, makes each run a fixture, and returns the files as bytes.

It returns bytes and not paths. Only the driver writes results, so a worker may be on a machine without a shared disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from grok.errors import Interrupted
from grok.recipe import Recipe
from grok.store.light import lighten
from grok.sweep.plan import digest
from grok.train import finish, run
from grok.train.state import Settings, State

Files = dict[str, bytes]


@dataclass(frozen=True)
class Outcome:
    """The result of a batch on one worker.

    finished: ``files`` has the fixture of every run. failed: training diverged, and would again. lost: any other
    failure (of the worker, its machine, its memory or its disk); another attempt may succeed.
    """

    kind: Literal["finished", "failed", "lost"]
    files: Mapping[str, Files] = field(default_factory=dict)  # digest of the run → name → bytes
    error: str = ""
    worker: str = ""
    seconds: float = 0.0  # of this attempt, training and measuring
    steps: int = 0  # of training in this attempt, times runs
    work: Path | None = None  # the state that the attempt leaves on the worker's machine


def attempt(recipes: Sequence[Recipe], settings: Settings, folder: Path) -> Outcome:
    """Compute a batch in ``folder/<key>``, and continue where an earlier attempt there stopped.

    The key names the runs and everything that changes bits, so a state never continues under other conditions. The
    process that stores the files then removes the folder (``forget``). Raises Interrupted on SIGTERM and SIGINT.
    """
    worker, began = f"{socket.gethostname()}:{os.getpid()}", time.monotonic()
    try:
        # set before describe() reads it: the number of threads is part of the key
        if settings.threads:
            torch.set_num_threads(settings.threads)
        work = folder / _key(recipes, settings)
        with _alone(work):
            at_step = _step(work)
            run.train(list(recipes), work, settings, progress=False)
            files = _fixtures(recipes, work)
    except run.Diverged as error:
        return Outcome("failed", error=str(error), worker=worker, seconds=time.monotonic() - began)
    except Interrupted:  # the state is saved; the caller decides what to do next
        raise
    except Exception:
        return Outcome("lost", error=traceback.format_exc(), worker=worker, seconds=time.monotonic() - began)
    steps = (recipes[0].steps - at_step) * len(recipes)
    return Outcome("finished", files, "", worker, time.monotonic() - began, steps, work)


def forget(work: Path) -> None:
    """Remove the state of a batch whose results are stored."""
    shutil.rmtree(work, ignore_errors=True)
    _lock_path(work).unlink(missing_ok=True)


def _fixtures(recipes: Sequence[Recipe], work: Path) -> dict[str, Files]:
    out = {}
    with tempfile.TemporaryDirectory(dir=work) as made:
        for recipe, folder in zip(recipes, finish.finish(work, Path(made) / "whole", progress=False), strict=True):
            light = Path(made) / "light" / f"{recipe.seed}"
            lighten(folder, light)
            out[digest(recipe)] = {path.name: path.read_bytes() for path in sorted(light.iterdir())}
    return out


def _key(recipes: Sequence[Recipe], settings: Settings) -> str:
    means = {name: value for name, value in settings.describe().items() if name != "commit"}
    return hashlib.sha256(json.dumps([[digest(r) for r in recipes], means], sort_keys=True).encode()).hexdigest()[:16]


def _step(work: Path) -> int:
    state = work / "state.safetensors"
    return State.load(state, "cpu").step if state.exists() else 0


def _lock_path(work: Path) -> Path:
    return work.with_name(f"{work.name}.lock")


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Wait for a worker whose driver died and that is still saving its state here. A dead one holds no lock."""
    work.parent.mkdir(parents=True, exist_ok=True)
    with open(_lock_path(work), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
