"""The claims themselves under test: good models are made bad in known ways, and a claim must refuse each.

A lie names the claim that it makes false. Where every answer of the bad model is still right (``unseen``), accuracy
would not have caught it. What no claim catches is listed too: see docs/findings.md.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lies import Lie, harmless
from lies.addition import ADDITION
from lies.modadd import MISSED, MISSED_IN_THE_NETWORK, MLP, SUBTRACTION, TRANSFORMER
from lies.runs import ADDITION_RUN, SUBTRACTION_RUN

from grok.errors import NotEvaluable
from grok.measure import losses
from grok.recipe import get_recipe
from grok.store.fixture import Fixture, load_fixture
from grok.suite.evidence import Recorder, recording

ROOT = Path(__file__).parents[2]
LIES = [
    *(("modadd-mlp", lie) for lie in MLP),
    *(("modadd-transformer", lie) for lie in TRANSFORMER + ADDITION_RUN),
    *(("modsub-transformer", lie) for lie in SUBTRACTION + SUBTRACTION_RUN),
    *(("add-transformer", lie) for lie in ADDITION),
]


@cache
def fixture(family: str) -> Fixture:
    return load_fixture(ROOT / "fixtures" / family / f"seed{get_recipe(family).seed}")


@cache
def claims(family: str) -> dict[str, Callable]:
    """Id → test function."""
    path = ROOT / "claims" / f"test_{family.replace('-', '_')}.py"
    spec = importlib.util.spec_from_file_location(f"lied_to_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    marked = ((f, mark) for f in vars(module).values() if callable(f) for mark in getattr(f, "pytestmark", []))
    return {mark.args[0].id: f for f, mark in marked if mark.name == "claim"}


def asks_for(claim: Callable) -> str:
    return "run" if "run" in inspect.signature(claim).parameters else "model"


def good(family: str, claim: Callable) -> Any:
    return fixture(family).run if asks_for(claim) == "run" else fixture(family).network()


def holds(claim: Callable, subject: Any) -> bool:
    """Whether it holds; not evaluable counts as not, as on a control. Any other exception is the test's failure."""
    recorder = Recorder()
    try:
        with recording(recorder):
            claim(**{asks_for(claim): subject}, evidence=recorder)
    except (AssertionError, NotEvaluable):
        return False
    return True


@cache
def holds_on_good(family: str, id: str) -> bool:
    claim = claims(family)[id]
    return holds(claim, good(family, claim))


@pytest.mark.parametrize(("family", "lie"), LIES, ids=[f"{lie.caught_by} {lie.name}" for _, lie in LIES])
def test_a_lie_is_caught(family: str, lie: Lie):
    claim = claims(family)[lie.caught_by]
    assert holds_on_good(family, lie.caught_by), "the good model is refused"
    bad = lie.change(good(family, claim))
    assert not holds(claim, bad)
    if lie.unseen:
        assert losses.accuracy(bad.logits, bad.labels) == 1


UNSEEN = MISSED + MISSED_IN_THE_NETWORK


@pytest.mark.parametrize(("family", "lie"), UNSEEN, ids=[f"{lie.name} ({family})" for family, lie in UNSEEN])
def test_a_missed_lie_is_missed_by_every_claim(family: str, lie: Lie):
    """When a claim begins to catch it, it moves to the list of those that are caught."""
    bad = lie.change(fixture(family).network())
    about_models = [id for id, claim in claims(family).items() if asks_for(claim) == "model"]
    assert [id for id in about_models if holds_on_good(family, id) and not holds(claims(family)[id], bad)] == []


def test_nineteen_of_twenty_are_caught():
    """Counted for each model on its own: that another model's source says more does not help this one."""
    caught = {(family, lie.change) for family, lie in LIES}
    missed = {(family, lie.change) for family, lie in MISSED}
    assert not caught & missed
    kinds = {change for _, change in caught}
    assert len(kinds) >= 20
    assert {change for _, change in missed} <= kinds, "findings.md says that each is caught on some model"
    assert len(missed) <= 0.05 * len(caught | missed)


@pytest.mark.parametrize(
    ("family", "change"),
    [(family, change) for family, changes in harmless.MODELS.items() for change in changes],
    ids=lambda x: x if isinstance(x, str) else x.__name__,
)
def test_a_harmless_change_is_not_refused(family: str, change: Callable):
    """Claims that catch lies hold on what is the same model in other words."""
    same = change(fixture(family).network())
    used = {lie.caught_by for name, lie in LIES if name == family}
    about_models = [id for id in sorted(used) if asks_for(claims(family)[id]) == "model"]
    assert [id for id in about_models if not holds(claims(family)[id], same)] == []
