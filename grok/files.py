"""Atomic writes: a reader sees the old file or the new one, never a part of one."""

from __future__ import annotations

import json
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_bytes(path: Path, data: bytes) -> None:
    """Write through a temporary file beside ``path``, fsync, rename. Raises OSError; then ``path`` is untouched.

    The temporary name is fixed, so that the next write replaces what a killed process left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a failed write does not name its file
        raise


def reserve(path: Path, size: int) -> None:
    """Create the file if it is not there, and take ``size`` bytes for it on the disk. Raises OSError.

    Without this, writing to a memory map of the file kills the process (SIGBUS) when the disk is full.
    """
    try:
        with open(path, "ab") as file:
            if hasattr(os, "posix_fallocate"):  # not on macOS
                os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        error.filename = str(path)
        raise


class Syncing:
    """``with Syncing(path) as written``: ``written.begin()`` brings what the file has to the disk beside other work.

    So a later ``fsync``, or a flush of a memory map of it, has little left to wait for. It promises nothing by itself:
    nothing is begun while one is under way, and what fails here fails again there.
    """

    def __init__(self, path: Path):
        self.path, self.pool = path, ThreadPoolExecutor(1)
        self.latest: Future[None] | None = None

    def __enter__(self) -> Syncing:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()

    def begin(self) -> None:
        if self.latest is None or self.latest.done():
            with suppress(RuntimeError):  # there can be no further thread
                self.latest = self.pool.submit(self._sync)

    def _sync(self) -> None:
        with open(self.path, "r+b") as file:
            os.fsync(file.fileno())


def json_bytes(data: Any) -> bytes:
    """Indented UTF-8 JSON with a final newline; NaN and infinity raise ValueError."""
    return (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_json(path: Path, data: Any) -> None:
    """``json_bytes`` to a file, as ``write_bytes`` writes it."""
    write_bytes(path, json_bytes(data))
