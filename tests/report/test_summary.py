"""What CI shows: every format carries the facts, keeps hostile text inert, and stays within its limits."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest
import sample

from grok.commands import gate, report
from grok.report import page, summary, table
from grok.verdicts.expected import Change, Entry, compare, entry
from grok.verdicts.verdict import Result

CLAIMS = [*sample.one_of_each()[:4], sample.hostile()]
VERDICTS = sample.verdicts(CLAIMS)
CHANGES = compare(VERDICTS.claims, {"K1": Entry("replicated"), "gone": Entry("mixed")})


def test_junit_is_xml_with_the_facts_of_each_claim():
    suites = ET.fromstring(summary.junit(VERDICTS, CHANGES))
    cases = {case.get("name"): case for case in suites.iter("testcase")}
    assert set(cases) == {"K1", "K2", "K3", "K4", sample.HOSTILE, "gone"}
    facts = {p.get("name"): p.get("value") for p in cases["K1"].iter("property")}
    assert facts["claim"] == "K1"
    assert (facts["verdict"], facts["expected"], facts["published"]) == ("replicated", "replicated", "0.9824")
    assert facts["measured"] == "‖W_U on K‖ / ‖W_U‖ = 0.9823; key frequencies = 3, 14, 22, 35"
    assert {name for name, case in cases.items() if case.find("failure") is not None} == set(cases) - {"K1"}
    assert suites.get("failures") == "5"


def test_an_error_is_told_apart_from_a_failure_and_from_what_was_not_evaluated():
    broken = sample.claim("K8", [Result("modadd-mlp/seed0", "trained", None, error="NameError: x")])
    verdicts = sample.verdicts([*sample.one_of_each(), broken])
    changes = compare(verdicts.claims, {c.id: entry(c) for c in verdicts.claims if c is not broken})
    suites = ET.fromstring(summary.junit(verdicts, changes))
    assert (suites.get("failures"), suites.get("errors")) == ("0", "1")
    assert suites.find(".//testcase[@name='K8']/error").get("message") == "K8: error on modadd-mlp/seed0: NameError: x"
    text = summary.markdown(verdicts, changes)
    assert "1 not evaluated, 1 error" in text
    assert text.index("| **K8** |") < text.index("| **K5** |")
    assert "**error**" in table.markdown(verdicts)
    assert "modadd-mlp" in table.markdown(verdicts)
    shown = page.render(verdicts)
    assert '<details class="claim error" id="K8"' in shown
    assert "<strong>Why error:</strong> on modadd-mlp/seed0: NameError: x" in shown
    assert re.search(r'<span class="outcome bad">.*?</svg>error</span>', shown)


def test_junit_replaces_what_xml_cannot_write():
    claim = sample.claim("K1", sample.subjects(), title="a\x00b\x1bc\ufffe\ud800")
    text = summary.junit(sample.verdicts([claim]), [])
    assert ET.fromstring(text.encode()).find(".//property[@name='title']").get("value") == "a�b�c��"


def test_markdown_is_worst_first_and_inert():
    text = summary.markdown(VERDICTS, CHANGES)
    assert text.index("**gone**") < text.index("**K2**")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {row.count("|") for row in rows} == {7}
    for markup in ("<script", "<img", "`", "@all", "#1 ", "${window"):
        assert markup not in text
    assert "javascript" not in text


@pytest.mark.parametrize("limit", [2_000, summary.COMMENT_LIMIT, summary.SUMMARY_LIMIT])
def test_markdown_stays_within_its_limit_and_counts_what_is_left_out(limit):
    claims = [sample.claim(f"K{i}", sample.subjects(), title="é" * 400) for i in range(1200)]
    changes = [Change("K7", "verdict", "replicated", "refuted", detail="first")] * 3
    text = summary.markdown(sample.verdicts(claims), changes, limit)
    assert limit - 1500 < len(text.encode()) <= limit
    kept = text.count("\n| ") - 1
    assert f"… and {1200 - kept} lines more." in text or limit == 2_000
    assert "first" in text


def test_annotations_are_one_line_each_and_cannot_be_forged():
    lines = summary.error_lines(VERDICTS, CHANGES)
    assert lines[0] == "::error title=claim gone::gone: was not run, or is gone"
    assert "::error file=claims/test_modadd_mlp.py,line=42,title=claim K2::K2: refuted, and no verdict" in "\n".join(
        lines
    )
    for line in lines:
        assert "\n" not in line
        assert "\r" not in line
        properties = line.removeprefix("::error ").split("::", 1)[0]
        assert {part.split("=", 1)[0] for part in properties.split(",")} <= {"file", "line", "title"}


def test_annotations_stop_where_github_stops_and_say_so():
    changes = [Change(f"K{i}", "missing", "replicated", "missing") for i in range(25)]
    lines = summary.error_lines(VERDICTS, changes)
    assert len(lines) == 10
    assert lines[-1].endswith("(15 more in the summary)")


def test_badge():
    assert summary.badge(VERDICTS, [])["message"] == "1 of 5 replicated"
    assert summary.badge(VERDICTS, [])["color"] == "brightgreen"
    bad = summary.badge(VERDICTS, CHANGES)
    assert (bad["schemaVersion"], bad["color"], bad["isError"]) == (1, "red", True)
    assert bad["message"] == "1 of 5 replicated, 5 unexpected"


def test_the_gate_writes_them_all(tmp_path, capsys):
    (tmp_path / "verdicts.json").write_text(json.dumps(VERDICTS.to_json()))
    (tmp_path / "expected.json").write_text('{"schema": 2, "claims": {"K1": {"verdict": "mixed"}}}')
    code = gate.gate(
        tmp_path / "verdicts.json",
        expected=tmp_path / "expected.json",
        junit=tmp_path / "ci/junit.xml",
        markdown=tmp_path / "ci/summary.md",
        comment=tmp_path / "ci/comment.md",
        badge=tmp_path / "ci/badge.json",
        annotations=True,
    )
    assert code == 1
    assert {path.name for path in (tmp_path / "ci").iterdir()} == {
        "junit.xml",
        "summary.md",
        "comment.md",
        "badge.json",
    }
    assert (
        "::error file=claims/test_modadd_mlp.py,line=42,title=claim K1::K1: mixed → replicated"
        in capsys.readouterr().out
    )


def test_the_table_of_all_claims_has_a_row_for_each_and_is_inert(tmp_path):
    (tmp_path / "verdicts.json").write_text(json.dumps(VERDICTS.to_json()))
    assert report.report(tmp_path / "verdicts.json", out=tmp_path / "claims.md") == 0
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[1].startswith("| K1 | ")
    assert "untrained: fails; memorised: fails |" in rows[1]
    assert {row.count("|") for row in rows} == {11}
    assert "<script" not in text
