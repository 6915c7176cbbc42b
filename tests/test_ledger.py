"""The claims in claims/ are those of the ledger: each once, on the fixtures it is about."""

import importlib.util
import json
from pathlib import Path

CLAIMS = Path(__file__).parents[1] / "claims"


def claimed(path: Path) -> list[tuple[str, str]]:
    """(fixture, id) of every claim in a file; a claim's own source goes before the module's."""
    spec = importlib.util.spec_from_file_location(f"ledger_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = []
    for function in vars(module).values():
        marks = [module.pytestmark, *getattr(function, "pytestmark", [])] if callable(function) else []
        named = {mark.name: mark.args[0] for mark in marks}
        if "claim" in named:
            found.append((named["source"].fixture, named["claim"].id))
    return found


def test_every_claim_of_the_ledger_is_there_once():
    ledger = [(fixture, id) for fixture, ids in json.loads((CLAIMS / "ledger.json").read_text()).items() for id in ids]
    found = [pair for path in sorted(CLAIMS.glob("test_*.py")) for pair in claimed(path)]
    assert sorted(found) == sorted(ledger)
