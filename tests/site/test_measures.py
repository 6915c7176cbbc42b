"""docs/measures.md is what the docstrings say, and every docstring says enough."""

import json
import re
from pathlib import Path
from types import ModuleType

from grok.site import measures

ROOT = Path(__file__).parents[2]


def missing(module: ModuleType) -> list[str]:
    return [found.name for found in measures.measures(module) if not (found.text and found.equation and found.source)]


def test_every_measure_has_an_equation_and_a_source():
    found = {name: missing(module) for name, module in measures.modules().items()}
    assert {name: names for name, names in found.items() if names} == {}
    assert sum(len(measures.measures(module)) for module in measures.modules().values()) > 100


def test_what_a_docstring_lacks_is_seen():
    module = ModuleType("made")
    module.__dict__["__name__"] = "made"
    source = 'def f():\n    """A share.\n\n    Equation: a / b.\n    """\nclass C:\n    """Source: F."""\n' + (
        '    def g(self):\n        """It.\n\n        Equation: 1.\n        """\n    def h(self):\n        """It."""\n'
    )
    exec(source, module.__dict__)
    assert missing(module) == ["f", "C.h"]


def test_the_file_is_up_to_date():
    text = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
    assert text == measures.document(), "make it again: python -m grok.site.measures docs/measures.md"


def test_the_claims_that_sources_name_are_claims():
    claims = json.loads((ROOT / "reports" / "expected.json").read_text(encoding="utf-8"))["claims"]
    named = [
        (name, claim)
        for module in measures.modules().values()
        for name, source in ((found.name, found.source or "") for found in measures.measures(module))
        for group in re.findall(r"claims? ([^);]*)", source)
        for claim in re.findall(r"[A-Z]\d+[a-z]?", group)
    ]
    assert len(named) > 50
    assert [(name, claim) for name, claim in named if claim not in claims] == []


def test_tagged_lines_may_be_longer_than_one():
    text, said = measures.parts("A share.\n\nEquation: a / b, with\n    b > 0.\nSource: F.")
    assert (text, said) == ("A share.", {"Equation": "a / b, with b > 0", "Source": "F"})
