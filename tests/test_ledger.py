"""The claims in claims/ are those with a committed verdict, each once, and each says where its threshold comes from."""

import importlib.util
import json
from pathlib import Path

from grok.suite.meta import Info

CLAIMS = Path(__file__).parents[1] / "claims"


def claimed(path: Path) -> list[tuple[str, Info]]:
    """(fixture, info) of every claim in a file; a claim's own source goes before the module's."""
    spec = importlib.util.spec_from_file_location(f"ledger_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = []
    for function in vars(module).values():
        marks = [module.pytestmark, *getattr(function, "pytestmark", [])] if callable(function) else []
        named = {mark.name: mark.args[0] for mark in marks}
        if "claim" in named:
            found.append((named["source"].fixture, named["claim"]))
    return found


def test_every_claim_with_a_verdict_is_there_once():
    expected = json.loads((CLAIMS.parent / "reports" / "expected.json").read_text())["claims"]
    found = [info.id for path in sorted(CLAIMS.glob("test_*.py")) for _, info in claimed(path)]
    assert sorted(found) == sorted(expected)


def test_every_claim_says_where_its_threshold_comes_from():
    infos = [info for path in sorted(CLAIMS.glob("test_*.py")) for _, info in claimed(path)]
    assert [info.id for info in infos if not (info.threshold and info.because)] == []
