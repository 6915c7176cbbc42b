"""Reading verdicts.json: what is refused, in which words, and that what was read can be shown."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import sample
from hypothesis import given, settings
from hypothesis import strategies as st

import grok
from grok.errors import GrokError
from grok.report import page, table
from grok.verdicts import decode
from grok.verdicts.expected import compare
from grok.verdicts.record import parse, read_verdicts


def test_a_run_as_a_table(tmp_path, monkeypatch):
    (tmp_path / "v.json").write_text(json.dumps(sample.verdicts(sample.one_of_each()).to_json()))
    read = grok.verdicts.read(tmp_path / "v.json")
    claims, subjects = read.to_dataframe(), read.to_dataframe(by="subject")
    assert list(claims["id"]) == [claim.id for claim in read.claims]
    assert list(claims["verdict"]) == [claim.verdict for claim in read.claims]
    assert len(subjects) == sum(len(claim.subjects) for claim in read.claims)
    one = read.claims[0].subjects[0]
    row = subjects.iloc[0]
    assert (row["subject"], row["role"], row["value"]) == (one.subject, one.role, one.asserts[0].left)
    assert claims["value"].iloc[0] == min(s.asserts[0].left for s in read.claims[0].subjects if s.role == "trained")
    with pytest.raises(ValueError, match="by is one of claim, subject"):
        read.to_dataframe(by="seed")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(GrokError, match="needs pandas, which is not installed"):
        read.to_dataframe()


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_file_of_another_shape_is_refused_in_a_line_or_read(data):
    """One value replaced by another JSON value, whichever: a Malformed that names a place, or verdicts."""
    forged = json.loads(json.dumps(sample.verdicts(sample.one_of_each()).to_json()))
    parent: Any = forged
    key: Any = data.draw(st.sampled_from(["run", "claims"]))
    while isinstance(parent[key], dict | list) and parent[key] and data.draw(st.booleans()):
        parent = parent[key]
        key = data.draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent))))
    parent[key] = data.draw(st.sampled_from([None, True, 7, -0.5, "text", "refuted", [], [1], {}, {"a": []}]))
    refused = ""
    try:
        read = parse(forged)
    except decode.Malformed as error:
        refused = str(error)
    else:
        assert parse(json.loads(json.dumps(read.to_json()))) == read
        for show in (page.render, table.markdown, lambda read: compare(read.claims, {})):
            show(read)  # whatever was read can be shown
    assert "\n" not in refused


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        ("{", "is not JSON"),
        ('{"schema": 2, "run": {}, "claims": [NaN]}', "is not JSON"),
        ("[]", "expected an object with \"schema\": 2, found 'list'"),
        ('{"schema": 3}', "found 3"),
        ('{"schema": 2, "run": {}}', "claims is missing"),
        (
            '{"schema": 2, "run": {}, "claims": [{"id": "K1", "title": "t", "verdict": "mixed"}]}',
            "claims[0].subjects is missing",
        ),
        ('{"schema": 2, "run": {}, "claims": [7]}', "claims[0] is 7, not an object"),
        (
            '{"schema": 2, "run": {}, "claims": [{"id": "K1", "title": "t", "verdict": "great", "subjects": []}]}',
            "claims[0].verdict is 'great', not one of replicated, refuted",
        ),
        ('{"schema": 2, "run": {"seconds": 1e999}, "claims": []}', "run.seconds is inf, not a number"),
        ('{"schema": 2, "run": {"fixtures": {}}, "claims": []}', "run.fixtures is an object, not a list"),
    ],
)
def test_wrong_use_is_an_error_that_says_what_to_run(tmp_path, content, says):
    verdicts = tmp_path / "verdicts.json"
    if content is not None:
        verdicts.write_text(content)
    with pytest.raises(GrokError) as error:
        read_verdicts(verdicts)
    assert says in str(error.value)
    assert str(verdicts) in str(error.value)
    assert "pytest claims/ --claims-json" in str(error.value)


def test_the_same_id_twice_is_an_error(tmp_path):
    claim = sample.one_of_each()[0]
    (tmp_path / "verdicts.json").write_text(json.dumps(sample.verdicts([claim, claim]).to_json()))
    with pytest.raises(GrokError, match="two claims are called 'K1'"):
        read_verdicts(tmp_path / "verdicts.json")


def test_what_is_written_is_read_back(tmp_path):
    verdicts = sample.verdicts([*sample.one_of_each(), sample.hostile(), sample.many(1)[0]])
    (tmp_path / "verdicts.json").write_text(json.dumps(verdicts.to_json()))
    assert read_verdicts(tmp_path / "verdicts.json") == verdicts
