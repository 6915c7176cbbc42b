"""A full disk, a directory that may not be written, a file in the way: every command says so and exits with 2.

Prints, for each, the exit code, what was told and what was left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import forked
import torch

from grok import cli
from grok.recipe import RECIPES
from grok.task import Task
from grok.train import run

TINY = replace(RECIPES["modadd-mlp"], name="tiny", task=Task(5), steps=104, d_model=8, d_mlp=16, train_frac=0.6)
NOBODY = 65534


def train(out: Path) -> Callable[[], None]:
    return lambda: cli.main(["train", "tiny", "--out", str(out)])


def convert(model: Path, out: Path) -> Callable[[], None]:
    return lambda: cli.main(["convert", str(model), "--out", str(out), "--recipe", "modadd-mlp"])


def limited(size: int, action: Callable[[], None]) -> Callable[[], None]:
    """No file may grow past ``size`` bytes: a write fails in the middle, as on a disk that is full."""

    def act() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        action()

    return act


def as_nobody(action: Callable[[], None]) -> Callable[[], None]:
    """Root may write anywhere; so the trial gives root up."""

    def act() -> None:
        if os.getuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        action()

    return act


def full_device(out: Path) -> None:
    """``out`` is written through /dev/full: its temporary file, whose name is known, is a link to it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_name(f".{out.name}.tmp").symlink_to("/dev/full")


def trials(folder: Path) -> dict[str, tuple[Callable[[], None], Path]]:
    """Name → what to do and the folder to look at afterwards."""
    model = folder / "model.pt"
    torch.manual_seed(0)
    torch.save({"W_E": torch.randn(5, 8), "W_in": torch.randn(8, 16), "W_U": torch.randn(16, 5)}, model)
    full_device(folder / "full" / "work" / "state.safetensors")
    full_device(folder / "full-card" / "card.json")
    full_device(folder / "full-convert" / "model.safetensors")
    locked = folder / "locked"
    locked.mkdir()
    for path in (folder, folder.parent):
        path.chmod(0o755)
    locked.chmod(0o555)
    way = folder / "way"
    way.mkdir()
    (way / "file").write_bytes(b"")
    return {
        "train, /dev/full under the state": (train(folder / "full"), folder / "full"),
        "train, /dev/full under the card": (train(folder / "full-card"), folder / "full-card"),
        "train, no room for the snapshots": (limited(3_000, train(folder / "small")), folder / "small"),
        "train, no room for the state": (limited(4_500, train(folder / "state")), folder / "state"),
        "train, read-only directory": (as_nobody(train(locked / "out")), locked),
        "train, a file in the way": (train(way / "file" / "out"), way),
        "convert, /dev/full": (convert(model, folder / "full-convert" / "model.safetensors"), folder / "full-convert"),
        "convert, no room": (limited(100, convert(model, folder / "cut" / "model.safetensors")), folder / "cut"),
        "convert, read-only directory": (as_nobody(convert(model, locked / "model.safetensors")), locked),
        "convert, a file in the way": (convert(model, way / "file" / "model.safetensors"), way),
    }


def main(folder: Path) -> None:
    RECIPES["tiny"] = TINY
    run.STATE_EVERY_SECONDS = -1.0
    results = {}
    chosen = trials(folder)
    for warm in (train(folder / "warm"), convert(folder / "model.pt", folder / "warm.safetensors")):
        with contextlib.suppress(SystemExit):
            warm()  # imports everything while this process may still read it: nobody may not
    for name, (action, place) in chosen.items():
        ended = forked.run(action)
        left = sorted(str(p.relative_to(place)) for p in place.rglob("*"))
        results[name] = {"code": ended.code, "told": ended.stderr, "left": left}
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
