"""The runs before this one: a folder with one small JSON for each."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from grok.errors import GrokError
from grok.files import write_json
from grok.verdicts.verdict import SCHEMA


def entry(verdicts: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a run: when, which commit, and each claim's verdict and margin."""
    run = verdicts["run"]
    claims = {c["id"]: {"verdict": c["verdict"], "margin": c.get("margin")} for c in verdicts["claims"]}
    return {"schema": SCHEMA, "started": run.get("started"), "commit": run.get("commit"), "claims": claims}


def append(verdicts: dict[str, Any], folder: Path) -> Path:
    """Write the run into the folder, atomically. The name is its start and digest: the same run twice is one file."""
    kept = entry(verdicts)
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:8]
    started = re.sub(r"[^0-9TZ]", "", str(kept["started"] or "").upper())[:16] or "undated"
    path = folder / f"{started}-{digest}.json"
    write_json(path, kept)
    return path


def load(folder: Path) -> list[dict[str, Any]]:
    """Every run of the folder, oldest first. Raises GrokError on a file that is not one."""
    if not folder.is_dir():
        raise GrokError(f"{folder} is no folder of runs; make it with\n  grok gate verdicts.json --history {folder}")
    runs = []
    for path in sorted(folder.glob("*.json")):
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
            kept = {str(k): {"verdict": str(c["verdict"]), "margin": c.get("margin")} for k, c in run["claims"].items()}
            runs.append({"started": str(run.get("started") or ""), "commit": run.get("commit"), "claims": kept})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise GrokError(f"{path} is not a run written by `grok gate --history`; remove it") from None
    return sorted(runs, key=lambda run: run["started"])
