"""What the page takes from docs/findings.md: every claim it discusses is found, and nothing is said of a user's own."""

import json
import re
from dataclasses import replace
from pathlib import Path

import sample

from grok import published
from grok.report import findings, page

ROOT = Path(__file__).parents[2]
EXPECTED = json.loads((ROOT / "reports" / "expected.json").read_text(encoding="utf-8"))["claims"]
DOCUMENT = r"""# Findings

Of **K1**, which begins no paragraph, nothing is said here. **K1** neither.

## Refuted

**K9: each is a wave.** See *all* of [them](other.md), or [there](https://example.org), <b>now</b>.
**K9b · mlp: the mean is.** It holds.

| claim | also holds on | what it means |
|---|---|---|
| K14, N8: \|a\| is near b (K9 too) | untrained | a ratio. |
"""


def test_findings_discuss_every_claim_that_did_not_replicate():
    said = findings.load()
    asked = {name for name, entry in EXPECTED.items() if entry["verdict"] != "replicated"}
    assert sorted(asked - said.keys()) == []
    assert all(passage.text and passage.section for passages in said.values() for passage in passages)


def test_a_paragraph_ends_where_the_next_claim_begins_and_a_row_is_read_as_sentences():
    said = findings.parse(DOCUMENT)
    assert set(said) == {"K9", "K9b · mlp", "K14", "N8"}
    wave, row = said["K9"]
    assert (wave.section, wave.anchor) == ("Refuted", "refuted")
    assert wave.html == (
        "<strong>K9: each is a wave.</strong> See <em>all</em> of them, or "
        '<a href="https://example.org" rel="noreferrer">there</a>, &lt;b&gt;now&lt;/b&gt;.'
    )
    assert said["K9b · mlp"][0].html == "<strong>K9b · mlp: the mean is.</strong> It holds."
    assert row == said["N8"][0]
    assert row.text == "**K14, N8: |a| is near b (K9 too).** Also holds on: untrained. What it means: a ratio."


def shown(**told) -> str:
    claim = replace(sample.claim("K9", sample.subjects(trained=(0.91,)), "refuted"), **told)
    return re.sub("<[^>]*>", "", page.render(sample.verdicts([claim])))


def test_the_page_shows_them_near_the_verdict_and_only_for_a_published_claim_on_its_own_networks(monkeypatch, tmp_path):
    passage = "FVE above 0.84. On our run 26 of 28"
    assert passage in shown().replace("\n", " ")
    assert "Discussion" in shown()
    for own in ({"file": "tests/test_mine.py"}, {"file": "claims/test_mine.py"}, {"expected": None}, {"file": None}):
        assert "Discussion" not in shown(**own)
    assert "Discussion" not in shown(moved=True)  # the text is about another verdict
    monkeypatch.setattr(published, "root", lambda: tmp_path)  # a wheel has no docs
    assert "Discussion" not in shown()
