"""Claims that break, and sessions that do, in pytest: an error is no verdict and is never expected."""

import json

import pytest
from sessions import LARGE, OWN, POSITIVE, run, verdicts

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("evidence('x', float('nan')) >= 0", "NotFinite: x is nan*"),
        ("model.shape == 1", "AttributeError: 'float' object has no attribute*"),
        ("outside.check(model)", "an assert outside the claim's file failed: *outside.py, line 2"),
        ("pytest.fail('no')", "Failed: no*"),
    ],
)
def test_an_error_is_no_verdict(pytester, body, error):
    pytester.makepyfile(outside="def check(x):\n    assert x > 100\n    return True")
    pytester.makepyfile(f"{OWN}\nimport outside\n@claim('A1', 'x')\ndef test_x(model, evidence):\n    assert {body}")
    result = run(pytester, "--claims-json", "v.json")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["A1 on good: an error, not a verdict", f"  {error}"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert {s["holds"] for s in verdicts(pytester)["A1"]["subjects"]} == {None}
    assert verdicts(pytester)["A1"]["verdict"] == "error"
    result.stdout.fnmatch_lines(["A1 *", "* error", "*on good: *"])


def test_an_error_is_never_committed(pytester):
    """Neither with the other verdicts nor in place of an earlier one; and it fails where no verdict was expected."""
    nan = "@claim('A5', 'x')\ndef test_x(model, evidence):\n    assert evidence('x', float('nan')) >= 0\n"
    pytester.makepyfile(OWN + LARGE + nan)
    result = run(pytester, "--expected", "expected.json", "--update-expected")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*rewritten, but for A5 (an error is never expected: on good:*"])
    committed = json.loads((pytester.path / "expected.json").read_text())
    assert list(committed["claims"]) == ["A1"]
    committed["claims"]["A5"] = {"verdict": "not evaluated", "subjects": {"good": None, "bad": None}}
    (pytester.path / "expected.json").write_text(json.dumps(committed))
    result = run(pytester, "--expected", "expected.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["A5: error, expected not evaluated (on good: *"])
    run(pytester, "--expected", "expected.json", "--update-expected")
    kept = json.loads((pytester.path / "expected.json").read_text())["claims"]
    assert kept["A5"]["verdict"] == "not evaluated", "an entry stays where its claim broke"


def test_a_claim_that_asserts_nothing_is_an_error(pytester):
    pytester.makepyfile(OWN + "@claim('A1', 'x')\ndef test_x(model, evidence):\n    evidence('size', model)")
    run(pytester).stdout.fnmatch_lines(["  it asserts nothing: *"])


def test_what_cannot_be_evaluated_fails_a_model_but_not_a_control(pytester):
    body = "    if model < 1: raise NotEvaluable('no keys')\n    assert 1"
    pytester.makepyfile(f"{OWN}\n@claim('A1', 'x')\ndef test_x(model, evidence):\n{body}")
    result = run(pytester, "--claims-json", "v.json")
    result.assert_outcomes(passed=1, failed=1)
    claim = verdicts(pytester)["A1"]
    assert (claim["verdict"], claim["reason"]) == ("not evaluated", "no keys")


def test_a_folder_of_fixtures_that_is_not_there_is_refused(pytester):
    pytester.makepyfile(OWN)
    result = run(pytester, "--fixture-dir", "nodir")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --fixture-dir nodir: no such folder; *"])


def test_a_session_that_was_stopped_says_that_its_table_is_not_whole(pytester):
    pytester.makepyfile(OWN + LARGE.replace(">= 0.8", "< 0.8") + POSITIVE)
    result = run(pytester, "-x", "--claims-json", "v.json")
    result.stdout.fnmatch_lines(["A1 *", "the session was stopped: the table is of the tests that ran before*"])
    assert not (pytester.path / "v.json").exists()
    pytester.makepyfile(OWN + LARGE)
    run(pytester).stdout.no_fnmatch_line("the session was stopped*")
