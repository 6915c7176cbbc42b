"""The state of batches in progress at a URI that several machines reach, so that another one can go on.

``URI/<key>/`` holds, for the batch with this key (``compute``), copies of what its work folder holds:

- ``run.json`` and ``state.safetensors``, the latter written last;
- ``snapshots-<first>-<end>.f32``: these rows of ``snapshots.f32``. Each save adds the new rows only.

Each file is written under another name and then moved, so a reader sees all of it or nothing. Attempts of one batch on
two machines do not disturb each other: they write the same bits, and none removes rows that the other's state needs.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load

from grok import files
from grok.errors import GrokError
from grok.recipe import Recipe
from grok.train.run import SNAPSHOT_EVERY, open_snapshots, step_of

STATE, RUN = "state.safetensors", "run.json"
PIECE_BYTES = 64 * 2**20  # of snapshots in one file, which is in memory while it travels


class Shared:
    """The state of one batch, in its work folder here and at a URI. Raises GrokError if nothing can open the URI."""

    def __init__(self, uri: str, recipes: Sequence[Recipe], work: Path):
        self.fs, root = _opened(uri)
        self.root = f"{root}/{work.name}"
        self.recipes, self.work = recipes, work
        self.sent = 0  # rows of the snapshots that are at the URI
        self.error = ""

    def fetch(self) -> None:
        """Copy the state to the work folder if it is further than the one there. Raises OSError and the like."""
        if STATE not in _names(self.fs, self.root):
            return
        data = self.fs.cat_file(f"{self.root}/{STATE}")
        step = int(load(data)["step"])
        if step <= step_of(self.work):
            return
        files.write_bytes(self.work / RUN, self.fs.cat_file(f"{self.root}/{RUN}"))
        snapshots = open_snapshots(self.work, self.recipes[0], len(self.recipes), write=True)
        missing = set(range(_rows(step)))
        for name in _names(self.fs, self.root):
            if found := re.fullmatch(r"snapshots-(\d+)-(\d+)\.f32", name):
                first, end = map(int, found.groups())
                if missing.isdisjoint(range(first, end)):
                    continue
                rows = np.frombuffer(self.fs.cat_file(f"{self.root}/{name}"), "<f4")
                snapshots[first:end] = rows.reshape(end - first, *snapshots.shape[1:])
                missing -= set(range(first, end))
        if missing:
            self.error = f"the state in {self.root} was not used: snapshot {min(missing)} is missing"
            return
        snapshots.flush()
        files.write_bytes(self.work / STATE, data)
        self.sent = _rows(step)

    def save(self, step: int) -> None:
        """Copy the state of this step from the work folder. A failure is kept in ``error``; the training goes on."""
        try:
            if not self.sent:
                self.fs.makedirs(self.root, exist_ok=True)
                _put(self.fs, f"{self.root}/{RUN}", (self.work / RUN).read_bytes())
            snapshots = open_snapshots(self.work, self.recipes[0], len(self.recipes))
            piece = max(1, PIECE_BYTES // snapshots[0].nbytes)
            while self.sent < _rows(step):
                end = min(self.sent + piece, _rows(step))
                _put(self.fs, f"{self.root}/snapshots-{self.sent}-{end}.f32", snapshots[self.sent : end].tobytes())
                self.sent = end
            _put(self.fs, f"{self.root}/{STATE}", (self.work / STATE).read_bytes())
        except Exception as error:  # each file system has errors of its own
            self.error = f"the state at step {step} was not copied to {self.root}: {type(error).__name__}: {error}"


def opened(uri: str) -> str:
    """The URI in full, for other processes. Raises GrokError if this one cannot write there."""
    fs, root = _opened(uri)
    probe = f"{root}/probe-{_me()}"
    try:
        fs.makedirs(root, exist_ok=True)
        _put(fs, probe, b"")
        fs.rm_file(probe)
    except Exception as error:  # as in ``save``
        raise GrokError(f"--state {uri}: cannot write there: {type(error).__name__}: {error}") from None
    return str(fs.unstrip_protocol(root))


def begun(uri: str) -> dict[str, list[Recipe]]:
    """Key → runs of the batches whose state is at the URI."""
    fs, root = _opened(uri)
    fs.invalidate_cache()
    found = fs.glob(f"{root}/*/{RUN}")
    contents = fs.cat(found, on_error="omit") if found else {}
    return {
        path.split("/")[-2]: [Recipe.from_json(r) for r in json.loads(data)["recipes"]]
        for path, data in sorted(contents.items())
    }


def forget(uri: str, keys: Collection[str]) -> None:
    """Remove the state of batches whose results are stored. What cannot be removed stays."""
    fs, root = _opened(uri)
    for key in keys:
        try:
            fs.rm(f"{root}/{key}", recursive=True)
        except Exception:  # nothing was saved there, or it is gone; otherwise the end of the next sweep tries again
            continue


def _rows(step: int) -> int:
    """How many rows of the snapshots a state at this step needs: it goes on by writing the row of its own step."""
    return -(-step // SNAPSHOT_EVERY)


def _opened(uri: str) -> tuple[Any, str]:
    import fsspec

    try:
        fs, root = fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:  # s3:// needs s3fs; no such protocol
        raise GrokError(f"--state {uri}: {error}") from None
    return fs, root.rstrip("/")


def _names(fs: Any, folder: str) -> list[str]:
    fs.invalidate_cache()  # another machine may have written there
    try:
        return [path.rsplit("/", 1)[-1] for path in fs.ls(folder, detail=False)]
    except FileNotFoundError:
        return []


def _put(fs: Any, path: str, data: bytes) -> None:
    temporary = f"{path}.{_me()}.tmp"
    fs.pipe_file(temporary, data)
    fs.mv(temporary, path)


def _me() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"
