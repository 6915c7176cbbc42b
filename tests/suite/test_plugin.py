"""The plugin as its users meet it: sessions of pytest on models of their own."""

import json
from pathlib import Path

import pytest
from sessions import HUGE, LARGE, OWN, POSITIVE, run, verdicts

from grok.commands.gate import gate
from grok.errors import GrokError
from grok.suite.results import Results
from grok.verdicts.verdict import Result as Verdict

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def test_a_claim_passes_where_it_holds_and_where_a_control_fails_it(pytester):
    pytester.makepyfile(OWN + LARGE)
    result = run(pytester, "--claims-json", "v.json")
    result.assert_outcomes(passed=2)
    row = " * 0.9 * ≥ 0.8 * 0.1 * 0.95 * replicated 1/1"
    result.stdout.fnmatch_lines(["A1 *It is large", row, "*1 claim: 1 replicated*"])
    assert "warning" not in result.stdout.str().lower()
    claim = verdicts(pytester)["A1"]
    assert (claim["verdict"], claim["k"], claim["n"], claim["expected"]) == ("replicated", 1, 1, None)
    assert claim["margin"] == pytest.approx(0.125)
    assert claim["expression"] == ['evidence("size", model) >= 0.8']
    good, bad = claim["subjects"]
    assert (good["subject"], good["role"], good["holds"]) == ("good", "trained", True)
    assert (bad["subject"], bad["role"], bad["holds"]) == ("bad", "control", False)
    assert bad["asserts"][0]["values"] == "0.1 >= 0.8"
    assert bad["evidence"][0]["value"] == 0.1


def test_what_holds_on_a_control_and_what_holds_nowhere_fails_while_nothing_is_committed(pytester):
    pytester.makepyfile(OWN + POSITIVE + HUGE)
    result = run(pytester, "--claims-json", "v.json")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["A2 on bad: holds; it must not on a control", "A3 on good: does not hold; it must *"])
    found = verdicts(pytester)
    assert (found["A2"]["verdict"], found["A2"]["reason"]) == ("vacuous", "also holds on controls: bad")
    assert found["A3"]["verdict"] == "refuted"


def test_what_holds_on_a_rival_is_unspecific_and_behaviour_has_none(pytester):
    rival = OWN.replace(
        "marks=pytest.mark.control)])",
        'marks=pytest.mark.control), pytest.param(0.95, id="other", marks=pytest.mark.rival)])',
    )
    behaviour = LARGE.replace('"A1"', '"A4"').replace("def test_large", "def test_behaves")
    assert rival != OWN
    pytester.makepyfile(rival + LARGE + behaviour.replace("published=0.95)", 'published=0.95, about="behaviour")'))
    run(pytester, "--claims-json", "v.json")
    found = verdicts(pytester)
    assert (found["A1"]["verdict"], found["A1"]["reason"]) == ("unspecific", "also holds on rivals: other")
    assert [s["role"] for s in found["A1"]["subjects"]] == ["trained", "control", "rival"]
    assert found["A4"]["verdict"] == "replicated"
    assert [s["role"] for s in found["A4"]["subjects"]] == ["trained", "control"]


def test_committed_verdicts_pass_and_any_change_fails(pytester):
    pytester.makepyfile(OWN + LARGE + POSITIVE + HUGE)
    expected = pytester.path / "expected.json"
    result = run(pytester, "--expected", "expected.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["no verdict is committed of A1, A2, A3; *"])
    assert run(pytester, "--expected", "expected.json", "--update-expected").ret == 0
    committed = json.loads(expected.read_text())["claims"]
    assert {name: entry["verdict"] for name, entry in committed.items()} == {
        "A1": "replicated",
        "A2": "vacuous",
        "A3": "refuted",
    }
    entry = {"verdict": "replicated", "margin": 0.125, "separated": True, "subjects": {"good": True, "bad": False}}
    assert committed["A1"] == entry
    assert run(pytester, "--expected", "expected.json").ret == 0

    pytester.makepyfile(OWN + LARGE.replace("0.8", "0.99") + POSITIVE + HUGE.replace("100", "0.5"))
    result = run(pytester, "--expected", "expected.json")
    assert result.ret == 1
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(
        ["A1 on good: does not hold; expected: holds", "A3 on good: holds; expected: does not hold", "A1: refuted, *"]
    )


def test_a_verdict_over_some_subjects_is_not_compared(pytester):
    pytester.makepyfile(OWN + LARGE)
    run(pytester, "--expected", "expected.json", "--update-expected")
    assert run(pytester, "--expected", "expected.json", "-k", "bad").ret == 0
    result = run(pytester, "--expected", "expected.json", "--update-expected", "-k", "good")
    result.stdout.fnmatch_lines(["*rewritten, but for A1 (not all of its subjects ran)"])
    assert json.loads((pytester.path / "expected.json").read_text())["claims"]["A1"]["subjects"]["bad"] is False


def test_committed_verdicts_lie_where_the_gate_looks_for_them(pytester, monkeypatch):
    """reports/expected.json below the project is the default of both; where it is not, nothing is expected."""
    monkeypatch.chdir(pytester.path)
    pytester.makepyfile(OWN + LARGE)
    assert run(pytester, "--claims-json", "v.json").ret == 0
    assert json.loads((pytester.path / "v.json").read_text())["run"]["expected"] is None
    with pytest.raises(GrokError, match=r"nothing is expected yet.*\n  grok gate v\.json --accept"):
        gate(Path("v.json"))
    assert gate(Path("v.json"), accept=True) == 0
    assert run(pytester, "--claims-json", "v.json").ret == 0
    assert json.loads((pytester.path / "v.json").read_text())["run"]["expected"] == "reports/expected.json"
    assert gate(Path("v.json")) == 0
    pytester.makepyfile(OWN + LARGE.replace("0.8", "0.95"))
    assert run(pytester, "--claims-json", "v.json").ret == 1
    assert gate(Path("v.json")) == 1


def test_a_claim_has_a_verdict_for_each_of_its_parameters(pytester):
    pytester.makepyfile(
        OWN
        + """
@claim("A4", "It is above", published=0.95)
@pytest.mark.parametrize(("bound", "unit"), [(0.5, "m"), (-0.95, "m-k")])
def test_above(model, evidence, bound, unit):
    assert evidence("size", model) >= abs(bound)

@claim("A5", "It is above too")
@pytest.mark.parametrize("model", [0.9, pytest.param(0.1, marks=pytest.mark.control)])
def test_own(model, evidence):
    assert model >= 0.5
"""
    )
    run(pytester, "--claims-json", "v.json", "--claims", "A4,A5")
    found = verdicts(pytester)
    assert {name: (c["verdict"], c["n"]) for name, c in found.items()} == {
        "A4[0.5-m]": ("replicated", 1),
        "A4[-0.95-m-k]": ("refuted", 1),
        "A5": ("replicated", 1),
    }
    roles = {name: [(s["subject"], s["role"]) for s in c["subjects"]] for name, c in found.items()}
    assert roles["A4[0.5-m]"] == [("good", "trained"), ("bad", "control")]
    assert [role for _, role in roles["A5"]] == ["trained", "control"]


def test_a_plot_of_no_known_kind_or_without_points_is_an_error(pytester):
    plots = {
        "B1": 'evidence.plot("pie", "A pie", x=[1], share=[1])',
        "B2": 'evidence.plot("fve", "No points", x=[1, 2])',
        "B3": 'evidence.plot("lines", "Two lines", x=[], up=[], down=[])',
        "B4": 'evidence.plot("lines", "Two lines", x=[1, 2], up=[1, 2], down=[2, 1])',
    }
    tests = "".join(
        f"""
@claim("{name}", "A plot", no_control="a test of plots")
def test_{name}(evidence):
    {plot}
    assert evidence("one", 1) == 1
"""
        for name, plot in plots.items()
    )
    written = pytester.makepyfile(OWN + tests).read_text().splitlines()
    run(pytester, "--claims-json", "v.json")
    found = verdicts(pytester)
    assert [found[name]["verdict"] for name in plots] == ["error", "error", "error", "uncontrolled"]
    assert "plot No points: a plot of kind fve has no points, it has only an axis" in found["B2"]["reason"]
    assert "plot Two lines: a plot of kind lines has no points, up, down are empty" in found["B3"]["reason"]
    told = found["B1"]["reason"]
    assert "there is no kind 'pie'" in told
    line = 1 + next(i for i, text in enumerate(written) if "A pie" in text)
    assert told.endswith(f"line {line})"), "the line of the claim, not of the file that refused"


def test_ci_does_not_rewrite_what_is_expected(pytester, monkeypatch):
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(OWN + LARGE)
    result = pytester.runpytest_subprocess("--expected", "expected.json", "--update-expected")
    assert result.ret == 2
    result.stderr.fnmatch_lines(["*--update-expected is refused where CI is set*"])
    assert not (pytester.path / "expected.json").exists()


def test_ids_are_unique(pytester):
    pytester.makepyfile(OWN + LARGE + POSITIVE.replace("A2", "A1"))
    result = run(pytester)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: two claims are called A1: *test_large and *test_positive"])


def test_an_id_shared_across_workers_is_told_at_the_end():
    found = Results(expected=None, free=False)
    for home in ("a.py::test_x", "b.py::test_y"):
        meta = {"id": "A1", "title": "x", "nodeid": home, "file": "a.py", "line": 1}
        found.add({"meta": meta, "subject": Verdict("model", "trained", True).to_json(), "card": None})
    assert found.surprises() == ["two claims are called A1: a.py::test_x and b.py::test_y"]


def test_runs_with_the_same_changes_share_a_line():
    found, meta = (
        Results(expected=None, free=False),
        {"id": "A1", "title": "x", "nodeid": "a.py::test_x", "fixture": "r"},
    )
    for seed, changes in ((0, "p = 59"), (1, "p = 59"), (2, "steps = 20"), (3, "")):
        subject = Verdict(f"r/seed{seed}", "trained", True).to_json()
        card = {"digest": str(seed), "fixture": "r", "seed": seed, "changes": changes, "test_loss": 1e-6}
        found.add({"meta": meta, "subject": subject, "card": card})
    reason = ": a claim may fail on a published figure for that reason"
    assert found.runs()[-2:] == [
        f"r/seed0, r/seed1 were trained with p = 59{reason}",
        f"r/seed2 was trained with steps = 20{reason}",
    ]


def test_workers_write_the_same_verdicts(pytester):
    pytester.makepyfile(OWN + LARGE + POSITIVE + HUGE)
    run(pytester, "--claims-json", "alone.json")
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2", "--claims-json", "workers.json")
    alone, workers = (json.loads((pytester.path / name).read_text()) for name in ("alone.json", "workers.json"))
    assert alone["claims"] == workers["claims"]
    assert [claim["id"] for claim in workers["claims"]] == ["A1", "A2", "A3"]
    differing = {key for key in alone["run"] if alone["run"][key] != workers["run"][key]}
    assert differing <= {"started", "seconds", "command"}


def test_workers_need_no_option_for_the_table(pytester):
    """The process that the user started collects nothing; it learns of the claims from their first result."""
    pytester.makepyfile(OWN + LARGE + POSITIVE)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["A1 *It is large", "A2 *It is positive", "2 claims: 1 replicated, 1 vacuous"])


@pytest.mark.parametrize("option", [(), ("-n", "1")])
def test_a_session_without_claims_imports_next_to_nothing(pytester, option):
    """In the process of the tests, and in the one that the user started."""
    pytester.makeconftest(
        """
import sys

def pytest_sessionfinish():
    with open("imported.txt", "a") as file:
        print(*(name for name in sys.modules if name.startswith("grok.")), file=file)
"""
    )
    pytester.makepyfile("def test_x():\n    pass")
    pytester.runpytest_subprocess("-p", "no:cacheprovider", *option).assert_outcomes(passed=1)
    lists = [set(line.split()) for line in (pytester.path / "imported.txt").read_text().splitlines()]
    least = {
        "grok.errors",
        "grok.published",
        *(f"grok.suite{name}" for name in ("", ".arguments", ".machine", ".plugin")),
    }
    assert lists == [least] * (1 + len(option) // 2)
