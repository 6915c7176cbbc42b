"""Every source of claims says who wrote it and where it can be read, or that no public copy is known."""

import re
import runpy
from pathlib import Path

import pytest

from grok.suite.meta import Source

CLAIMS = Path(__file__).parents[2] / "claims"
WITHOUT_A_PUBLIC_COPY = {"balcells", "subtraction", "fibonacci"}


def _sources() -> list[Source]:
    found: dict[str, Source] = {}
    for path in sorted(CLAIMS.glob("test_*.py")):
        for value in runpy.run_path(str(path), run_name=path.stem).values():
            marks = value if isinstance(value, list) else [value]
            found |= {
                m.args[0].key: m.args[0] for m in marks if isinstance(m, pytest.MarkDecorator) and m.name == "source"
            }
    return list(found.values())


def test_every_source_names_its_authors_and_its_place():
    sources = _sources()
    assert len(sources) >= 10
    named = re.compile(r"[A-Z]\. [A-Z][a-z]+|et al\.|[A-Z][a-z]+ \d{4}|names no author")
    assert [s.key for s in sources if not named.search(f"{s.title} {s.ref}")] == []
    assert {s.key for s in sources if s.url is None} == WITHOUT_A_PUBLIC_COPY
    assert [s.key for s in sources if s.url and not re.fullmatch(r"https://\S+", s.url)] == []
