"""The page as text: the same bytes, within its size, complete, and inert whatever the verdicts say."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import sample

from grok.commands import report
from grok.errors import GrokError
from grok.report import page
from grok.report.history import Earlier, Kept
from grok.verdicts import plots
from grok.verdicts.expected import Entry, judge
from grok.verdicts.number import percent, show
from grok.verdicts.record import parse

LIMIT = 8_000_000


class Tree(html.parser.HTMLParser):
    """Tags and attributes as a parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_a_hundred_claims_fit_and_each_distinct_plot_is_kept_once():
    text = page.render(sample.verdicts(sample.many(100)))
    assert len(text.encode()) < LIMIT
    assert text.count('<details class="claim ') == 100
    # 100 claims × 5 subjects × 2 plots, of 12 made-up runs with 9 kinds
    assert len(json.loads(unpacked(text, "plots"))) <= 12 * 9


def test_the_page_draws_the_kinds_of_plots_that_a_claim_can_record():
    drawn = re.search(r"const KINDS = \{(.*?)\n\};", page._asset("kinds.js"), re.DOTALL)[1]
    assert set(re.findall(r"^  (\w+):", drawn, re.MULTILINE)) == set(plots.KINDS)


def unpacked(text: str, name: str) -> str:
    import zlib

    packed = re.search(f'data-packed="{name}">([^<]*)<', text)
    assert packed
    return zlib.decompress(base64.b64decode(packed[1])).decode()


def test_report_gives_the_same_bytes_twice(tmp_path):
    verdicts = tmp_path / "verdicts.json"
    verdicts.write_text(json.dumps(sample.verdicts(sample.many(5)).to_json()))
    for name in ("once.html", "again.html"):
        assert report.report(verdicts, out=tmp_path / name) == 0
    assert (tmp_path / "once.html").read_bytes() == (tmp_path / "again.html").read_bytes()


def test_the_policy_names_what_is_in_the_page_and_nothing_else():
    text = page.render(sample.verdicts(sample.many(2)))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    for source in (script, unpacked(text, "plotly")):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert re.findall(r"[\w-]+(?= 'unsafe-inline')", policy) == ["style-src-attr"]
    assert "http" not in policy


def test_hostile_text_becomes_no_markup_and_no_link():
    plain, attacked = (page.render(sample.verdicts([claim])) for claim in (sample.many(1)[0], sample.hostile()))
    tags = {name for name, _ in Tree(attacked).tags}
    assert tags <= {name for name, _ in Tree(plain).tags} | {"em", "p", "strong", "path"}
    attributes = [key for _, attributes in Tree(attacked).tags for key in attributes]
    assert not [key for key in attributes if key.startswith("on") or key == "style"]
    links = [attributes["href"] for tag, attributes in Tree(attacked).tags if tag == "a"]
    assert all(link.startswith("#") for link in links)
    assert "{{7*7}}" in attacked  # shown, not computed
    assert "window.stolen" not in re.search(r"<script>(.*?)</script>", attacked, re.DOTALL)[1]


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ("ckkissane/mech-interp-practice", "https://github.com/ckkissane/mech-interp-practice"),
        ("arXiv 2301.05217", "https://arxiv.org/abs/2301.05217"),
        ("https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("javascript:alert(1)", None),
        ("http://example.org", None),
        ('https://example.org/" onclick="x', None),
        ("../../etc", None),
    ],
)
def test_only_known_forms_of_reference_become_links(given, link):
    text = page.render(sample.verdicts([sample.claim("K1", sample.subjects(), ref=given)]))
    links = {a["href"] for tag, a in Tree(text).tags if tag == "a" and not a["href"].startswith("#")}
    assert links == ({link} if link else set())


def test_the_least_a_verdict_file_may_say_is_enough():
    least = {"run": {}, "claims": [{"id": "A", "title": "t", "verdict": "refuted", "subjects": []}]}
    assert "A</span>" in page.render(parse(least))
    assert page.render(parse({"run": {}, "claims": []}))


def test_history_shows_the_margin_over_runs():
    runs = [Earlier(f"2026-11-2{i}", None, {"K1": Kept("replicated", m)}) for i, m in enumerate((0.2, 0.1, -0.1))]
    text = page.render(sample.verdicts([sample.claim("K1", sample.subjects())]), runs)
    assert "margin over 3 runs: +20 % at first, −10 % now" in text
    assert "Margin over runs" not in page.render(sample.verdicts([sample.claim("K1", sample.subjects())]), runs[:1])


def test_report_without_its_file_is_an_error(tmp_path):
    with pytest.raises(GrokError, match="does not exist"):
        report.report(tmp_path / "verdicts.json", out=tmp_path / "out.html")


# ── several seeds ─────────────────────────────────────────────────────────────────────────────────────────────────


NINE = (0.91, 0.985, 0.93, 0.99, 0.95, 0.97, 0.96, 0.94, 0.98)


def seeds_page(values, losses, **more) -> str:
    """The page of one claim on as many seeds, whose runs ended with these test losses."""
    verdicts = sample.verdicts([sample.claim("K1", sample.subjects(trained=values), **more)])
    cards = tuple(verdicts.run.fixtures[0] | {"seed": i, "test_loss": loss} for i, loss in enumerate(losses))
    verdicts = replace(verdicts, run=replace(verdicts.run, fixtures=cards))
    return re.sub("<[^>]*>", " ", page.render(verdicts).partition("<main>")[2])


def test_five_seeds_or_more_have_a_spread_with_intervals_and_three_have_none():
    """Of nine values the exact bootstrap interval of the median runs from the second to the eighth."""
    text = seeds_page(NINE, [1e-6] * 9)
    assert "median 0.96 (95 % 0.93 … 0.985), range 0.91 … 0.99" in text
    assert " 0.96 (0.93 … 0.985) " in text  # in the table
    assert " 7 of 9 " in text  # at or below the published 0.98241
    assert f" {np.std(NINE, ddof=1):.2g} (" in text
    few = seeds_page(NINE[:3], [1e-6] * 3)
    assert "over seeds" in text
    assert "mixed 3/9" in text
    assert "mixed 1/3" in few
    for word in ("median", "over seeds", "(0.9", "(95 % 0."):
        assert word not in few
    assert "Holds on 1 of 3 models (95 % interval 6 … 79 %)." in few


def test_runs_that_did_not_grok_are_counted_and_named():
    text = seeds_page(NINE[:4], [1e-6, 0.01, 3.0, 0.0099])
    assert "2 of 4 runs did not grok (test loss at the end ≥ 0.01): seeds 1, 2. None is left out" in text
    assert "Holds on 2 of 4 models (95 % interval 15 … 85 %), on 1 of the 2 that grokked." in text
    assert "all 4 runs grokked" in seeds_page(NINE[:4], [1e-6] * 4)
    assert "grokked (" not in seeds_page(NINE[:1], [1e-6])


def test_a_verdict_that_only_further_seeds_changed_is_no_surprise():
    trained = sample.subjects(trained=(0.99, 0.5))
    committed = {"modadd-mlp/seed0": True, "modadd-mlp/untrained": False}
    for held, surprising in ((committed, False), ({}, True)):
        claim = judge(sample.claim("K1", trained), trained, Entry("replicated", subjects=held))
        assert ("expected: replicated" in page.render(sample.verdicts([claim]))) == surprising


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.981234, "0.9812"),
        (1.04e-6, "1.04e-6"),
        (22800, "22,800"),
        (-0.5, "−0.5"),
        (True, "yes"),
        (None, "–"),
        (1.0, "1"),
        ([[0] * 9] * 9, "9 × 9 array"),
        ([1, 5], "1, 5"),
        (123456.7, "1.235e5"),
    ],
)
def test_numbers_as_shown(value, text):
    assert show(value) == text


@pytest.mark.parametrize(
    ("margin", "text"), [(0.00241, "+0.241 %"), (-0.5, "−50 %"), (21.36, "+2,136 %"), (None, "–"), (-1e12, "−∞")]
)
def test_margins_as_shown(margin, text):
    assert percent(margin) == text
