"""verdicts.json as a whole: its frozen dataclasses, reading and writing. docs/verdicts.md describes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from grok.errors import GrokError
from grok.verdicts import decode
from grok.verdicts.claim import Claim
from grok.verdicts.verdict import SCHEMA

MAKE = "pytest claims/ --claims-json verdicts.json"


@dataclass(frozen=True)
class Run:
    """How the claims were run. started: ISO 8601. fixtures: the cards of the fixtures that were loaded."""

    command: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    commit: str | None = None
    started: str | None = None
    seconds: float | None = None
    subjects_note: tuple[str, ...] = ()
    fixtures: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Verdicts:
    """A run and the claims in it, in the order of their files."""

    run: Run
    claims: tuple[Claim, ...]

    def to_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def read_verdicts(path: Path) -> Verdicts:
    """Reads verdicts.json. Raises GrokError, with the command to run, if it is missing or has another shape."""
    data = decode.read(path, SCHEMA, MAKE)
    try:
        return parse(data)
    except decode.Malformed as error:
        raise GrokError(f"{path}: {error}; make it again with\n  {MAKE}") from None


def parse(data: dict[str, Any]) -> Verdicts:
    """From JSON. Raises ``decode.Malformed``."""
    found: Verdicts = decode.decode(Verdicts, data, "")
    seen: set[str] = set()
    for claim in found.claims:
        if claim.id in seen:
            raise decode.Malformed(f"two claims are called {claim.id!r}; give each its own id")
        seen.add(claim.id)
    return found
