"""The runs that ship as fixtures, and which of them did not grok."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grok.recipe import Recipe
from grok.sweep.row import row


@dataclass(frozen=True)
class Runs:
    """The seeds of one recipe that ship as fixtures, rows as in a sweep's table, by seed."""

    recipe: str
    rows: tuple[dict[str, Any], ...]

    @property
    def not_grokked(self) -> list[int]:
        """Seeds whose final test loss is not below the threshold; counted and named, never left out."""
        return [r["seed"] for r in self.rows if not r["grokked"]]

    def column(self, name: str) -> list[float]:
        """The values that there are: a run that did not grok has no steps to grok."""
        return [r[name] for r in self.rows if r.get(name) is not None]


def read_runs(fixtures: Path) -> list[Runs]:
    """Every recipe's runs below ``fixtures/<recipe>/seed<N>``."""
    out = []
    for folder in sorted(path for path in fixtures.iterdir() if path.is_dir()):
        cards = [(path.parent, json.loads(path.read_text())) for path in folder.glob("seed*/card.json")]
        rows = [row(path, Recipe.from_json(card["recipe"])) for path, card in cards]
        if rows:
            out.append(Runs(folder.name, tuple(sorted(rows, key=lambda r: r["seed"]))))
    return out
