"""Claims on the finished runs of a sweep: pytest once for each setting of the grid, verdicts stored with each run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grok import files
from grok.errors import GrokError
from grok.recipe import Recipe
from grok.sweep.plan import without_seeds
from grok.sweep.store import Store
from grok.sweep.table import VERDICTS


def run(store: Store, runs: Sequence[Recipe], claims: Path) -> None:
    """Verdicts of finished runs that have none yet. Raises GrokError if pytest does not come to verdicts."""
    points: dict[Recipe, list[Recipe]] = {}
    for recipe in runs:
        if (store.folder(recipe) / "card.json").exists() and not (store.folder(recipe) / VERDICTS).exists():
            points.setdefault(without_seeds(recipe), []).append(recipe)
    for point in points.values():
        found = _pytest(store, point, claims)
        for recipe in point:
            files.write_json(store.folder(recipe) / VERDICTS, of_subject(found, f"{recipe.name}/seed{recipe.seed}"))


def of_subject(verdicts: dict[str, Any], subject: str) -> list[dict[str, Any]]:
    """What ``verdicts.json`` says of one trained model: id, holds, margin, evidence of each claim."""
    return [
        {"id": claim["id"], **{key: s.get(key) for key in ("holds", "margin", "reason", "error", "evidence")}}
        for claim in verdicts["claims"]
        for s in claim["subjects"]
        if s["subject"] == subject and s["role"] == "trained"
    ]


def _pytest(store: Store, point: Sequence[Recipe], claims: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        fixtures, out = Path(folder) / "fixtures", Path(folder) / "verdicts.json"
        (fixtures / point[0].name).mkdir(parents=True)
        for recipe in point:
            link = fixtures / recipe.name / f"seed{recipe.seed}"
            link.symlink_to(store.folder(recipe).resolve(), target_is_directory=True)
        command = [sys.executable, "-m", "pytest", str(claims), "-q", "--recipe", point[0].name, "--seeds", "all"]
        # Exit code 1 is a result here: a verdict other than the expected one, or a control that the sweep has not.
        done = subprocess.run(
            [*command, "--fixture-dir", str(fixtures), "--claims-json", str(out)], capture_output=True, text=True
        )
        if not out.exists():
            raise GrokError(f"{claims}: pytest ended with {done.returncode} and no verdicts:\n{done.stdout[-2000:]}")
        return json.loads(out.read_text())
