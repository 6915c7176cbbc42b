"""The work of a worker on a batch: it trains the batch, makes each run a fixture and a row, and returns them.

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
from typing import Any, Literal

import torch

from grok.errors import Interrupted
from grok.recipe import Recipe
from grok.store.light import lighten
from grok.sweep.plan import digest
from grok.sweep.row import row
from grok.sweep.shared import Shared
from grok.train import finish, run
from grok.train.state import Settings

Files = dict[str, bytes]


@dataclass(frozen=True)
class Outcome:
    """The result of a batch on one worker.

    finished: ``files`` has the fixture of every run, or its verdicts. failed: training diverged or the claims cannot be
    evaluated, and another attempt would end so too. lost: any other failure (of the worker, its machine, its memory or
    its disk); another attempt may succeed.
    """

    kind: Literal["finished", "failed", "lost"]
    files: Mapping[str, Files] = field(default_factory=dict)  # digest of the run → name → bytes
    rows: Mapping[str, dict[str, Any]] = field(default_factory=dict)  # digest of the run → its row of the table
    error: str = ""  # of a finished batch: that its state could not be shared
    worker: str = ""
    seconds: float = 0.0  # of this attempt, training and measuring
    steps: int = 0  # of training in this attempt, times runs
    work: Path | None = None  # the state that the attempt leaves on the worker's machine


class Clock:
    """Who works on an attempt, and for how long."""

    def __init__(self) -> None:
        self.worker, self.began = f"{socket.gethostname()}:{os.getpid()}", time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


def attempt(recipes: Sequence[Recipe], settings: Settings, folder: Path, state: str | None = None) -> Outcome:
    """Compute a batch in ``folder/<key>``, and continue where an earlier attempt there stopped.

    The key names the runs and everything that changes bits, so a state never continues under other conditions. With the
    URI ``state`` an attempt also continues where one on another machine stopped. The process that stores the files then
    removes both (``forget``, ``Shared.forget``). Raises Interrupted on SIGTERM and SIGINT.
    """
    clock = Clock()
    try:
        # set before describe() reads it: the number of threads is part of the key
        if settings.threads:
            torch.set_num_threads(settings.threads)
        work = folder / _key(recipes, settings)
        with _alone(work):
            shared = Shared(state, recipes, work) if state else None
            if shared:
                shared.fetch()
            at_step = run.step_of(work)
            run.train(list(recipes), work, settings, progress=False, on_save=shared.save if shared else None)
            made, rows = _fixtures(recipes, work)
    except run.Diverged as error:
        return Outcome("failed", error=str(error), worker=clock.worker, seconds=clock.seconds)
    except Interrupted:  # the state is saved; the caller decides what to do next
        raise
    except Exception:
        return Outcome("lost", error=traceback.format_exc(), worker=clock.worker, seconds=clock.seconds)
    steps = (recipes[0].steps - at_step) * len(recipes)
    return Outcome("finished", made, rows, shared.error if shared else "", clock.worker, clock.seconds, steps, work)


def forget(work: Path) -> None:
    """Remove the state of a batch whose results are stored."""
    shutil.rmtree(work, ignore_errors=True)
    _lock_path(work).unlink(missing_ok=True)


def _fixtures(recipes: Sequence[Recipe], work: Path) -> tuple[dict[str, Files], dict[str, dict[str, Any]]]:
    """The files of each finished run, and its row."""
    out, rows = {}, {}
    with tempfile.TemporaryDirectory(dir=work) as made:
        for recipe, folder in zip(recipes, finish.finish(work, Path(made) / "whole", progress=False), strict=True):
            light = Path(made) / "light" / f"{recipe.seed}"
            lighten(folder, light)
            out[digest(recipe)] = {path.name: path.read_bytes() for path in sorted(light.iterdir())}
            rows[digest(recipe)] = row(light, recipe)
    return out, rows


def _key(recipes: Sequence[Recipe], settings: Settings) -> str:
    means = {name: value for name, value in settings.describe().items() if name != "commit"}
    return hashlib.sha256(json.dumps([[digest(r) for r in recipes], means], sort_keys=True).encode()).hexdigest()[:16]


def _lock_path(work: Path) -> Path:
    return work.with_name(f"{work.name}.lock")


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Wait for a worker whose driver died and that is still saving its state here. A dead one holds no lock."""
    work.parent.mkdir(parents=True, exist_ok=True)
    with open(_lock_path(work), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
