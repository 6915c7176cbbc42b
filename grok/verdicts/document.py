"""verdicts.json as a whole, schema 2. docs/verdicts.md describes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grok.verdicts import separation
from grok.verdicts.verdict import SCHEMA, Claim


def to_json(run: dict[str, Any], claims: Iterable[Claim]) -> dict[str, Any]:
    """What ran, and every claim with its subjects and how far trained models stand apart from the others."""
    written = [{**claim.to_json(), **separation.to_json(claim.subjects)} for claim in claims]
    return {"schema": SCHEMA, "run": run, "claims": written}
