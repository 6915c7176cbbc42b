"""Where no frequency stands out, the claims that use K say what stands for it, and no other claim does."""

import json

import pytest
from sessions import run, tiny_fixture, verdicts

from grok.store.fixture import load_fixture

pytest_plugins = ["pytester"]

NOTE = "K, as no frequency stands out"
CLAIMS = """
from grok.claim import claim, source
from grok.measure import activations

pytestmark = source("me", "My paper", fixture="small")

@claim("T1", "It has weights")
def test_weights(model, evidence):
    assert evidence("‖U‖", model.U.norm()) < 0

@claim("T2", "It has frequencies")
def test_frequencies(model, evidence):
    assert evidence("number", len(model.key_frequencies)) < 0

@claim("T3", "Its key directions are none")
def test_directions(model, evidence):
    assert evidence("rank", activations.key_subspace(model).rank) < 0

@claim("T4", "They are none again, by what is kept from before")
def test_directions_again(model, evidence):
    assert evidence("rank", activations.key_subspace(model).rank) < 0

@claim("T5", "Its test loss falls")
def test_loss(run, evidence):
    assert evidence("test loss", run.columns["test_loss"][-1]) < 0

@claim("T6", "Its restricted loss falls")
def test_restricted(run, evidence):
    assert evidence("restricted loss", run.columns["restricted_loss"][-1]) < 0
"""


@pytest.fixture
def small(pytester, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    for name in ("small", "small-wd0"):  # not "tiny": sessions in one process share what they found of a family
        tiny_fixture(pytester.path / "fixtures", name, 0, 1.0, 5.0, restricted_loss=[4.0, 3.0])
    pytester.makepyfile(CLAIMS)
    return pytester


def test_it_stands_where_k_is_used(small):
    run(small, "--claims-json", "v.json")
    found = {claim["id"]: claim["subjects"] for claim in verdicts(small).values()}
    assert {len(subjects) for subjects in found.values()} == {12, 2}
    told = {name: {NOTE in [e["name"] for e in s["evidence"]] for s in subjects} for name, subjects in found.items()}
    assert told == {"T1": {False}, "T2": {True}, "T3": {True}, "T4": {True}, "T5": {False}, "T6": {True}}


def test_a_trajectory_is_written_as_it_was_read(small):
    loaded = load_fixture(small.path / "fixtures" / "small" / "seed0").run
    assert json.loads(json.dumps(loaded.to_json()))["columns"] == loaded.columns
    assert loaded.keys_read == 0
