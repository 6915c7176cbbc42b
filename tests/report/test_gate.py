"""The gate: what makes it say no, in which order, and that records which contradict themselves do not pass."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sample
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.commands import gate
from grok.errors import GrokError
from grok.report import history
from grok.verdicts.expected import Entry, accept, compare, write
from grok.verdicts.record import Verdicts, parse
from grok.verdicts.verdict import Result

ONLY_EVALUATED = sample.one_of_each()[:4]


@pytest.fixture
def verdicts() -> Verdicts:
    return sample.verdicts(ONLY_EVALUATED)


def accepted(verdicts: Verdicts) -> dict[str, Entry]:
    return accept(verdicts.claims)


def kinds(verdicts: Verdicts, want: dict[str, Entry], **options: Any) -> list[tuple[str, str]]:
    return [(change.claim, change.kind) for change in compare(verdicts.claims, want, **options)]


def test_the_accepted_run_passes_whatever_its_verdicts(verdicts):
    assert kinds(verdicts, accepted(verdicts), max_margin_drop=0) == []


def test_a_deleted_an_unevaluated_and_an_unknown_claim_fail(verdicts):
    want = accepted(sample.verdicts(sample.one_of_each()))
    found = sample.verdicts([*ONLY_EVALUATED[1:], *sample.one_of_each()[4:], sample.claim("K99", sample.subjects())])
    want["K5"] = replace(want["K5"], verdict="mixed")
    assert kinds(found, want) == [("K1", "missing"), ("K5", "not evaluated"), ("K99", "new")]


def test_a_verdict_that_changed_fails_either_way_and_losing_a_replication_is_worse(verdicts):
    want = accepted(verdicts)
    found = sample.verdicts(
        [
            sample.claim("K1", sample.subjects(trained=(0.5,))),
            sample.claim("K2", sample.subjects()),
            *ONLY_EVALUATED[2:],
        ]
    )
    changes = compare(found.claims, want)
    assert [(c.claim, c.was, c.now) for c in changes] == [
        ("K1", "replicated", "refuted"),
        ("K2", "refuted", "replicated"),
    ]
    assert str(changes[0]) == "K1: replicated → refuted (margin +0.235 % → −49 %)"


def test_a_lost_separation_fails_if_it_is_asked_for(verdicts):
    """A control that comes as near as the trained model, with the same verdict."""
    want = accepted(verdicts)
    assert want["K1"].separated is True
    assert kinds(verdicts, want, require_separation=True) == []
    near = replace(verdicts.claims[0].separation, gap=0.0, separated=False)
    found = sample.verdicts([replace(verdicts.claims[0], separation=near), *verdicts.claims[1:]])
    assert kinds(found, want) == []
    assert kinds(found, want, require_separation=True) == [("K1", "separation")]


def test_another_outcome_on_one_subject_fails_though_the_verdict_stays(verdicts):
    want = accepted(verdicts)
    mixed = sample.claim("K3", sample.subjects(trained=(0.97, 0.99, 0.985)))
    found = sample.verdicts([*ONLY_EVALUATED[:2], mixed, ONLY_EVALUATED[3]])
    assert kinds(found, want) == [("K3", "subject"), ("K3", "subject")]


def test_a_control_that_did_not_run_fails(verdicts):
    want = accepted(verdicts)
    found = sample.verdicts([sample.claim("K1", sample.subjects()[:-1]), *ONLY_EVALUATED[1:]])
    assert kinds(found, want) == [("K1", "subject")]


def test_more_seeds_than_recorded_are_welcome(verdicts):
    want = accepted(verdicts)
    for further in (0.99, 0.5):
        found = sample.verdicts([sample.claim("K1", sample.subjects(trained=(0.9823, further))), *ONLY_EVALUATED[1:]])
        assert kinds(found, want, max_margin_drop=0) == []


@pytest.mark.parametrize(("value", "fails"), [(0.9823, False), (0.9813, True), (0.9814, False), (0.999, False)])
def test_a_margin_may_shrink_by_what_is_allowed(verdicts, value, fails):
    found = sample.verdicts([sample.claim("K1", sample.subjects(trained=(value,))), *ONLY_EVALUATED[1:]])
    allowed = (0.9823 - 0.98135) / 0.98
    assert kinds(found, accepted(verdicts), max_margin_drop=allowed) == ([("K1", "margin")] if fails else [])
    assert kinds(found, accepted(verdicts)) == []


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every number or truth value by which a claim is judged."""
    if isinstance(value, dict):
        judged = ("subjects", "asserts", "left", "right", "margin", "holds", "passed")
        return [p for key, v in value.items() if key in judged for p in leaves(v, (*path, key))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in leaves(v, (*path, i))]
    return [path] if isinstance(value, int | float) else []


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_one_number_changed_in_a_copy_is_noticed_and_named(data):
    original = json.loads(json.dumps(sample.verdicts(ONLY_EVALUATED).to_json()))
    i = data.draw(st.integers(0, len(ONLY_EVALUATED) - 1))
    forged = copy.deepcopy(original)
    path = data.draw(st.sampled_from(leaves(forged["claims"][i])))
    parent = forged["claims"][i]
    for key in path[:-1]:
        parent = parent[key]
    before = parent[path[-1]]
    parent[path[-1]] = not before if isinstance(before, bool) else data.draw(st.sampled_from([0.5, -2.0, 1e6]))
    changes = compare(parse(forged).claims, accepted(parse(original)))
    assert {change.claim for change in changes} == {original["claims"][i]["id"]}


BROKEN = Result("modadd-mlp/seed0", "trained", None, error="NameError: name 'x' is not defined")


def test_an_error_fails_whatever_is_expected_and_is_no_missing_value(verdicts):
    """Also where the claim is expected to be not evaluated, where nothing is expected, and on a further seed."""
    broken = sample.claim("K5", [BROKEN])
    unevaluated = {"K5": Entry("not evaluated", subjects={"modadd-mlp/seed0": None})}
    for want in (unevaluated, {}):
        assert kinds(sample.verdicts([broken]), want) == [("K5", "error")]
    (change,) = compare([broken], unevaluated)
    assert str(change) == "K5: error on modadd-mlp/seed0: NameError: name 'x' is not defined"
    further = [*sample.subjects(), replace(BROKEN, subject="modadd-mlp/seed7")]
    found = sample.verdicts([sample.claim("K1", further), *ONLY_EVALUATED[1:]])
    assert kinds(found, accepted(verdicts)) == [("K1", "error")]


@pytest.mark.parametrize("broken", [BROKEN, replace(BROKEN, subject="modadd-mlp/untrained", role="control")])
def test_an_error_is_never_accepted(files, broken, monkeypatch):
    verdicts, want = files
    monkeypatch.delenv("CI", raising=False)
    before = want.read_bytes()
    claims = [*ONLY_EVALUATED, sample.claim("K5", [*sample.subjects()[:2], broken])]
    verdicts.write_text(json.dumps(sample.verdicts(claims).to_json()))
    with pytest.raises(GrokError, match=r"K5 is an error, which is never accepted: on modadd-mlp/.*NameError"):
        gate.gate(verdicts, expected=want, accept=True)
    assert want.read_bytes() == before


def test_a_file_that_expects_an_error_is_refused(files):
    verdicts, want = files
    want.write_text(want.read_text().replace('"verdict": "refuted"', '"verdict": "error"'))
    with pytest.raises(GrokError, match=r"claims\.K2\.verdict is an error, which is never expected"):
        gate.gate(verdicts, expected=want)


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def files(tmp_path, verdicts) -> tuple[Path, Path]:
    (tmp_path / "verdicts.json").write_text(json.dumps(verdicts.to_json()))
    write(tmp_path / "expected.json", accepted(verdicts))
    return tmp_path / "verdicts.json", tmp_path / "expected.json"


def test_exit_codes_and_what_is_printed(files, capsys):
    verdicts, want = files
    assert gate.gate(verdicts, expected=want) == 0
    assert capsys.readouterr().out == "ok: 1 replicated, 1 refuted, 1 mixed, 1 vacuous; none unexpected\n"
    want.write_text(want.read_text().replace('"verdict": "refuted"', '"verdict": "replicated"'))
    assert gate.gate(verdicts, expected=want) == 1
    assert capsys.readouterr().out.startswith("K2: replicated → refuted (margin −7.14 % → −7.14 %)\n")


def test_accepting_is_for_the_desk_not_for_ci(files, monkeypatch, capsys):
    verdicts, want = files
    want.unlink()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(GrokError, match="refused where CI is set"):
        gate.gate(verdicts, expected=want, accept=True)
    monkeypatch.delenv("CI")
    assert gate.gate(verdicts, expected=want, accept=True) == 0
    assert gate.gate(verdicts, expected=want, max_margin_drop=0) == 0
    verdicts.write_text(verdicts.read_text().replace('"left": 0.9823', '"left": 0.5'))
    with pytest.raises(GrokError, match="such a record is not accepted"):
        gate.gate(verdicts, expected=want, accept=True)


def test_history_has_one_file_a_run_and_comes_back_in_order(files, verdicts, tmp_path):
    folder = tmp_path / "history"
    for started in ("2026-11-22T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z"):
        run = replace(verdicts.run, started=started)
        files[0].write_text(json.dumps(replace(verdicts, run=run).to_json()))
        assert gate.gate(files[0], expected=files[1], history=folder) == 0
    loaded = history.load(folder)
    assert [run.started for run in loaded] == ["2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z"]
    assert loaded[0].claims["K2"] == history.Kept("refuted", verdicts.claims[1].margin)
    (folder / "notes.json").write_text("[]")
    with pytest.raises(GrokError, match=r"notes\.json is not a run"):
        history.load(folder)
