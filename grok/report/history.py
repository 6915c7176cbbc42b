"""The runs before this one: a folder with one small JSON for each."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from grok.errors import GrokError
from grok.files import write_json
from grok.verdicts.decode import Malformed, decode, read
from grok.verdicts.record import Verdicts
from grok.verdicts.verdict import SCHEMA, Verdict


@dataclass(frozen=True)
class Kept:
    """What is kept of a claim."""

    verdict: Verdict
    margin: float | None


@dataclass(frozen=True)
class Earlier:
    """What is kept of a run: when, which commit, and its claims by id."""

    started: str | None
    commit: str | None
    claims: dict[str, Kept]


def append(verdicts: Verdicts, folder: Path) -> Path:
    """Write the run into the folder, atomically. The name is its start and digest: the same run twice is one file."""
    claims = {claim.id: Kept(claim.verdict, claim.margin) for claim in verdicts.claims}
    kept = {"schema": SCHEMA, **asdict(Earlier(verdicts.run.started, verdicts.run.commit, claims))}
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:8]
    started = re.sub(r"[^0-9TZ]", "", (verdicts.run.started or "").upper())[:16] or "undated"
    path = folder / f"{started}-{digest}.json"
    write_json(path, kept)
    return path


def load(folder: Path) -> list[Earlier]:
    """Every run of the folder, oldest first. Raises GrokError on a file that is not one."""
    make = f"grok gate verdicts.json --history {folder}"
    if not folder.is_dir():
        raise GrokError(f"{folder} is no folder of runs; make it with\n  {make}")
    runs: list[Earlier] = []
    for path in sorted(folder.glob("*.json")):
        try:
            runs.append(decode(Earlier, read(path, SCHEMA, make), ""))
        except (GrokError, Malformed):
            raise GrokError(f"{path} is not a run written by `grok gate --history`; remove it") from None
    return sorted(runs, key=lambda run: run.started or "")
