"""Claims on several families of networks, claims chosen by id, and the line of what a claim raises."""

import json
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAPER = """
from grok.claim import claim, source
pytestmark = source("paper", "A paper")

@claim("P1", "It has an embedding", published={"modadd-mlp": 113, "add-transformer": 10},
       on=("modadd-mlp", "add-transformer"), no_control="a test of the plugin")
def test_embedding(model, evidence):
    assert evidence("tokens", len(model.W_E)) == {"mlp": 113, "transformer": 10}[model.architecture]

@claim("P2", "Seeds differ", on=("modadd-mlp",))
def test_seeds(models, evidence):
    first = [float(model.W_E[0, 0]) for model in models]
    evidence("seeds", len(first))
    assert len(set(first)) < len(first)
"""
ELSEWHERE = """
@claim("P3", "Its fixtures do not ship", on=("c113-mlp",))
def test_elsewhere(model, evidence):
    assert False
"""
RAISING = """
from grok.claim import claim, source
import pytest
pytestmark = source("me", "My paper")

@pytest.fixture
def model():
    return 1

@claim("A1", "One decorator")
def test_one(model, evidence):
    evidence("x", 1)
    raise KeyError("here")

@pytest.mark.filterwarnings("error")
@claim(
    "A2",
    "Three decorators",
)
@pytest.mark.filterwarnings("error")
def test_three(model, evidence):
    assert model > 0
    raise KeyError("there")
"""


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def run(pytester, *args):
    fixtures = Path(__file__).parents[2] / "fixtures"
    quiet = ["-W", "ignore:Module already imported", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    return pytester.runpytest_inprocess(*quiet, "--fixture-dir", str(fixtures), "--claims-json", "v.json", *args)


def claims(pytester):
    return {claim["id"]: claim for claim in json.loads((pytester.path / "v.json").read_text())["claims"]}


def test_a_claim_has_a_verdict_for_each_family(pytester):
    pytester.makepyfile(PAPER)
    run(pytester, "--claims", "P1").stdout.fnmatch_lines(["add-transformer · A paper", "P1 *", "modadd-mlp · A paper"])
    found = claims(pytester)
    assert {name: claim["published"] for name, claim in found.items()} == {
        "P1 · add-transformer": 10,
        "P1 · modadd-mlp": 113,
    }
    trained = [[s["subject"] for s in claim["subjects"] if s["role"] == "trained"] for claim in found.values()]
    assert trained == [["add-transformer/seed999"], ["modadd-mlp/seed0"]]


def test_a_family_without_fixtures_is_for_checkpoints(pytester):
    pytester.makepyfile(PAPER + ELSEWHERE)
    run(pytester, "-k", "P3 or add-transformer/seed999").assert_outcomes(passed=1)
    assert list(claims(pytester)) == ["P1 · add-transformer"]


def test_seeds_are_compared_with_groups_of_controls(pytester):
    pytester.makepyfile(PAPER)
    run(pytester, "-k", "P2", "--expected", "none.json")
    seeds = {s["subject"]: s["evidence"][0]["value"] for s in claims(pytester)["P2 · modadd-mlp"]["subjects"]}
    assert seeds["modadd-mlp/untrained-seeds"] == 10
    assert seeds["modadd-mlp/all-seeds"] > 1


def test_claims_are_chosen_by_id(pytester):
    pytester.makepyfile(PAPER)
    collected = run(pytester, "--collect-only", "-q", "--claims", "P2").stdout.str()
    assert "test_seeds" in collected
    assert "test_embedding" not in collected
    unknown = run(pytester, "--claims", "P2,P9")
    unknown.stderr.fnmatch_lines(["*no claim here is called P9*"])
    assert unknown.ret == pytest.ExitCode.USAGE_ERROR
    by_recipe = run(pytester, "--collect-only", "-q", "--recipe", "add-transformer").stdout.str()
    assert "add-transformer/seed999" in by_recipe
    assert "modadd-mlp" not in by_recipe


def test_what_a_claim_raises_is_told_by_its_line(pytester):
    lines = pytester.makepyfile(RAISING).read_text().splitlines()
    run(pytester)
    errors = {name: claim["subjects"][0]["error"] for name, claim in claims(pytester).items()}
    one, three = (i for i, line in enumerate(lines, 1) if "raise" in line)
    assert f"line {one})" in errors["A1"]
    assert f"line {three})" in errors["A2"]
