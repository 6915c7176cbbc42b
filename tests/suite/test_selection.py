"""What ``-k`` and ``-m`` select: a control or rival runs with the subject of its claim, or where no subject runs."""

from pathlib import Path

import pytest
from sessions import LARGE, OWN, POSITIVE, run, verdicts

pytest_plugins = ["pytester"]

FIXTURES = Path(__file__).parents[2] / "fixtures"
CLAIMS = """
from grok.claim import claim, source
pytestmark = source("paper", "A paper")

@claim("S5", "It has a name", on=("modadd-transformer", "pizza-a"))
def test_name(grok_subject, evidence):
    assert len(evidence("name", grok_subject.name)) > 99

@claim("S6", "It has another", on=("modadd-transformer",))
def test_other(grok_subject, evidence):
    assert len(evidence("name", grok_subject.name)) > 99
"""


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch):
    monkeypatch.delenv("CI", raising=False)


def selected(pytester, *arguments):
    """(claim, subject) of each collected test, and how many were deselected."""
    outcome = run(pytester, "--fixture-dir", str(FIXTURES), "--collect-only", "-q", *arguments)
    found = [line.partition("::test_")[2] for line in outcome.outlines if "::test_" in line]
    return set(found), outcome.parseoutcomes().get("deselected", 0)


@pytest.fixture
def two_families(pytester):
    pytester.makepyfile(CLAIMS)
    return pytester


def test_rivals_of_another_family_are_left_out(two_families):
    every, _ = selected(two_families)
    of_pizza = {name for name in every if "[pizza-a/" in name}
    assert {"name[modadd-transformer/pizza]", "other[modadd-transformer/trained-pizza-a]"} < every
    assert of_pizza
    assert selected(two_families, "-k", "pizza") == (of_pizza, len(every - of_pizza))
    assert selected(two_families, "-k", "modadd") == (every - of_pizza, len(of_pizza))
    assert selected(two_families, "-k", "S5")[0] == {name for name in every if name.startswith("name")}


def test_a_run_without_subjects_is_as_it_was(two_families):
    found, deselected = selected(two_families, "-k", "number-line")
    assert found == {
        f"{of}/number-line]" for of in ("name[modadd-transformer", "name[pizza-a", "other[modadd-transformer")
    }
    assert deselected


def test_a_control_named_by_its_id_always_runs(two_families):
    file = next(two_families.path.glob("test_*.py")).name
    named = f"{file}::test_other[modadd-transformer/pizza]"
    assert selected(two_families, named, f"{file}::test_name[pizza-a/seed0]")[1] == 0
    found, _ = selected(two_families, named, f"{file}::test_name", "-k", "pizza")
    assert "other[modadd-transformer/pizza]" in found
    assert "name[modadd-transformer/pizza]" not in found


def test_failed_controls_run_again(pytester):
    """A selection by pytest's cache is not one by a word."""
    pytester.makepyfile(OWN + LARGE.replace(">= 0.8", "< 0.8") + POSITIVE)  # wrong on the model, and on the control
    arguments = ("-W", "ignore:Module already imported", "-k", "test_large or test_positive")
    pytester.runpytest_inprocess(*arguments).assert_outcomes(failed=3, passed=1)
    pytester.runpytest_inprocess(*arguments, "--lf").assert_outcomes(failed=3)


def test_models_of_the_tests_own_and_marks(pytester):
    pytester.makepyfile(OWN + LARGE + POSITIVE)
    run(pytester, "-k", "large or bad").assert_outcomes(passed=2, deselected=2)
    run(pytester, "-m", "control").assert_outcomes(passed=1, failed=1, deselected=2)


def test_the_processes_of_xdist_select_the_same(two_families):
    outcome = two_families.runpytest_subprocess(
        "-p", "no:cacheprovider", "-n", "2", "-k", "pizza", "--fixture-dir", str(FIXTURES), "--claims-json", "v.json"
    )
    assert outcome.ret == 0
    (found,) = verdicts(two_families).values()
    assert (found["id"], found["verdict"]) == ("S5 · pizza-a", "refuted")
