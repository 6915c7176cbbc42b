"""Claims on finished runs of a sweep: a task of the engine runs pytest on a group of runs that differ in their seeds.

Only the runs themselves are asked. Their controls and rivals decide whether a claim says anything, which is a question
for ``pytest claims/`` and has no place in a row of the table.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grok import files
from grok.errors import GrokError, Interrupted
from grok.recipe import Recipe
from grok.sweep.compute import Clock, Outcome
from grok.sweep.plan import digest
from grok.sweep.row import VERDICTS, judged, row


def attempt(recipes: Sequence[Recipe], folders: Sequence[Path], claims: Path) -> Outcome:
    """Evaluate the claims on finished runs, whose fixtures are in ``folders``.

    The outcome is "failed" if pytest comes to no verdicts, as with a claim that is no Python, and "lost" if it was
    killed. Raises Interrupted on SIGTERM.
    """
    clock = Clock()
    try:
        with _ended_by_signal():
            found = _pytest(recipes, folders, claims)
    except Interrupted:
        raise
    except GrokError as error:
        return Outcome("failed", error=str(error), worker=clock.worker, seconds=clock.seconds)
    except Exception:
        return Outcome("lost", error=traceback.format_exc(), worker=clock.worker, seconds=clock.seconds)
    contents, rows = {}, {}
    for recipe, folder in zip(recipes, folders, strict=True):
        own = of_subject(found, _name(recipe))
        contents[digest(recipe)] = {VERDICTS: files.json_bytes(own)}
        rows[digest(recipe)] = row(folder, recipe) | judged(own)
    return Outcome("finished", contents, rows, worker=clock.worker, seconds=clock.seconds)


def of_subject(verdicts: dict[str, Any], subject: str) -> list[dict[str, Any]]:
    """What ``verdicts.json`` says of one trained model: id, holds, margin, evidence of each claim."""
    return [
        {"id": claim["id"], **{key: s.get(key) for key in ("holds", "margin", "reason", "error", "evidence")}}
        for claim in verdicts["claims"]
        for s in claim["subjects"]
        if s["subject"] == subject and s["role"] == "trained"
    ]


def _name(recipe: Recipe) -> str:
    """Of the subject that a run is, which is also in the id of its tests."""
    return f"{recipe.name}/seed{recipe.seed}"


def _pytest(recipes: Sequence[Recipe], folders: Sequence[Path], claims: Path) -> dict[str, Any]:
    """verdicts.json of the claims on these runs. Raises GrokError if there is none, OSError if pytest was killed."""
    with tempfile.TemporaryDirectory() as temporary:
        fixtures, out = Path(temporary) / "fixtures", Path(temporary) / "verdicts.json"
        for recipe, folder in zip(recipes, folders, strict=True):
            link = fixtures / _name(recipe)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(folder.resolve(), target_is_directory=True)
        command = [sys.executable, "-m", "pytest", str(claims), "-q", "-o", f"cache_dir={temporary}/cache"]
        command += ["--recipe", recipes[0].name, "--seeds", "all", "-k", " or ".join(map(_name, recipes))]
        command += ["--fixture-dir", str(fixtures), "--claims-json", str(out)]
        # Exit code 1 is a result here: a claim that does not hold.
        one_core = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=one_core)
        if done.returncode < 0:
            raise OSError(f"pytest was ended by signal {-done.returncode}")
        if not out.exists():
            said = (done.stdout + done.stderr).strip()[-2000:]
            raise GrokError(f"{claims}: pytest ended with {done.returncode} and no verdicts:\n{said}")
        return json.loads(out.read_text())


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM ends the evaluation here, and with it the process of pytest."""

    def stop(_number: int, _frame: object) -> None:
        raise Interrupted("stopped while claims were evaluated; the same command evaluates them")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
