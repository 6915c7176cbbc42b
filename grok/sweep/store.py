"""A sweep on disk. Only the driver writes here, so a result is there whole or not at all.

- ``runs/<digest>/``: the fixture of a finished run (``card.json`` and what it names), renamed into place as a folder;
  or ``failed.json``, for a run whose training says no: a result too, and not tried again unless removed.
  With ``--claims`` a fixture also gets ``verdicts.json``.
- ``records.jsonl``: one line for each attempt at a batch: who, how long, how many steps, what came of it.
- ``runs.parquet``, ``parts/``: the table, and rows that are not in it yet (``table``).
- ``work/<key>/``: state of batches in progress, written by the workers of this machine.
- ``lock``: held by the driver, so that two sweeps do not compute the same runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grok import files
from grok.errors import GrokError
from grok.recipe import Recipe
from grok.store.fixture import CARD, CONTENTS
from grok.sweep.compute import Files, Outcome, forget
from grok.sweep.plan import Batch, digest
from grok.sweep.row import FAILED, VERDICTS


@dataclass(frozen=True)
class Store:
    out: Path

    @property
    def runs(self) -> Path:
        return self.out / "runs"

    @property
    def work(self) -> Path:
        return self.out / "work"

    @property
    def parts(self) -> Path:
        return self.out / "parts"

    def folder(self, recipe: Recipe) -> Path:
        return self.runs / digest(recipe)

    def done(self, recipe: Recipe) -> bool:
        return self.finished(recipe) or self.failed(recipe)

    def finished(self, recipe: Recipe) -> bool:
        return (self.folder(recipe) / CARD).exists()

    def failed(self, recipe: Recipe) -> bool:
        return (self.folder(recipe) / FAILED).exists()

    def card(self, recipe: Recipe) -> dict[str, Any] | None:
        """The card of a finished run; None if it failed or is missing."""
        path = self.folder(recipe) / CARD
        return json.loads(path.read_text()) if path.exists() else None

    def put(self, recipe: Recipe, contents: Files) -> None:
        """Store a finished run; one that is already there stays. Raises OSError; then there is nothing of it."""
        folder = self.folder(recipe)
        if self.done(recipe):
            return
        temporary = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        for name, data in contents.items():
            files.write_bytes(temporary / name, data)
        temporary.rename(folder)

    def export(self, recipe: Recipe, folder: Path) -> None:
        """Copy a finished run's fixture to ``folder``, the card last. What is finished there, or not here, stays."""
        if self.card(recipe) is None or (folder / CARD).exists():
            return
        for name in (*CONTENTS, CARD):
            files.write_bytes(folder / name, (self.folder(recipe) / name).read_bytes())

    def put_failure(self, recipe: Recipe, error: str) -> None:
        content = json.dumps({"recipe": recipe.to_json(), "error": error}, indent=1, ensure_ascii=False)
        self.put(recipe, {FAILED: content.encode()})

    def judged(self, recipe: Recipe) -> bool:
        """Whether the claims on a run were evaluated."""
        return (self.folder(recipe) / VERDICTS).exists()

    def put_verdicts(self, recipe: Recipe, contents: Files) -> None:
        """Add the verdicts of a finished run. Raises OSError; then there are none."""
        files.write_bytes(self.folder(recipe) / VERDICTS, contents[VERDICTS])

    def record(self, batch: Batch, outcome: Outcome) -> None:
        """Append what came of an attempt; whole lines only, also after a kill."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "task": "claims" if batch.claims else "train",
            "event": outcome.kind,
            "runs": [digest(r) for r in batch.runs],
            "worker": outcome.worker,
            "seconds": round(outcome.seconds, 3),
            "steps": outcome.steps,
            "error": outcome.error,
        }
        with open(self.out / "records.jsonl", "ab") as file:
            file.write(b"\n" * self._torn() + json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def records(self) -> list[dict[str, Any]]:
        """Every attempt so far, oldest first; a line torn by a kill is left out."""
        path = self.out / "records.jsonl"
        out = []
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                out.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return out

    def _torn(self) -> bool:
        """Whether a kill left the last line of the records unfinished."""
        path = self.out / "records.jsonl"
        if not path.exists() or path.stat().st_size == 0:
            return False
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"

    def begun(self) -> list[list[Recipe]]:
        """The batches whose state is in ``work``."""
        paths = sorted(self.work.glob("*/run.json"))
        return [[Recipe.from_json(r) for r in json.loads(path.read_text())["recipes"]] for path in paths]

    def sweep_up(self) -> None:
        """Remove the state of batches that are stored as a whole (a driver may die before it does)."""
        for path in self.work.glob("*/run.json"):
            recipes = [Recipe.from_json(r) for r in json.loads(path.read_text())["recipes"]]
            if all(self.done(r) for r in recipes):
                forget(path.parent)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Raises GrokError if another sweep writes here. The system frees the lock of a driver that dies."""
        self.runs.mkdir(parents=True, exist_ok=True)
        with open(self.out / "lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise GrokError(
                    f"{self.out}: another sweep is running there; wait for it, or give another --out"
                ) from None
            yield

    def stored(self) -> Iterator[Recipe]:
        """The recipes of every run that is finished or failed, in the order of their digests."""
        for folder in sorted(self.runs.glob("[0-9a-f]*")):
            for name in (CARD, FAILED):
                if (folder / name).exists():
                    yield Recipe.from_json(json.loads((folder / name).read_text())["recipe"])
