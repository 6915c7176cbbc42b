"""Two runs on one page: what differs comes first, both numbers stand on one line, and hostile names are text."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import sample
from test_page import Tree

from grok.commands import compare
from grok.report import scale, sides
from grok.verdicts.verdict import Assertion

NAMES = ("a.json", "b.json")


def one(name: str, value: float, **more) -> object:
    return sample.claim(name, sample.subjects(trained=(value,)), **more)


def page_of(first, second, names=NAMES) -> str:
    return sides.render(names, (sample.verdicts(first), sample.verdicts(second)))


def both(first, second, expression="ratio >= 0.98"):
    return scale.both({"a": (first, expression), "b": (second, expression)})


def text_of(page: str) -> str:
    return html.unescape(" ".join(re.sub("<[^>]*>", " ", page.partition("<body>")[2].partition("<script")[0]).split()))


def test_another_verdict_comes_first_then_another_value_then_what_is_in_one_run_only():
    first = [one("K1", 0.99), one("K2", 0.985), one("K3", 0.99), one("K4", 0.99)]
    second = [one("K1", 0.99), one("K2", 0.99), one("K3", 0.5), one("K5", 0.99)]
    page = page_of(first, second)
    order = re.findall(r'<details class="claim both" id="(\w+)" data-verdict="([^"]*)"', page)
    assert order == [
        ("K3", "another verdict"),
        ("K2", "another value"),
        ("K1", "no difference"),
        ("K4", "only in a"),
        ("K5", "only in b"),
    ]
    text = text_of(page)
    assert "3 claims in both: 1 with another verdict, 1 more with another value; 1 only in a; 1 only in b." in text
    assert "Why refuted: modadd-mlp/seed0: 0.5 >= 0.98, from ratio >= 0.98" in text
    assert text.count("does not have this claim") == 2
    assert "tested on trained networks" in text


def test_both_numbers_and_the_published_one_stand_on_one_line():
    drawn = both(one("K1", 0.99), one("K1", 0.5))
    assert [(lane.kind, lane.label, lane.text) for lane in drawn.lanes] == [
        ("a", "a, seed0", "0.99"),
        ("b", "b, seed0", "0.5"),
        ("published", "published", "0.9824"),
    ]
    a, b, published = (lane.marks[0].x for lane in drawn.lanes)
    assert b < drawn.thresholds[0] < published < a
    assert drawn.passes == (drawn.thresholds[0], 100)
    assert drawn.text == "threshold ≥ 0.98; a, seed0 0.99; b, seed0 0.5; published 0.9824"


def test_seeds_are_points_of_one_lane_and_the_one_that_decides_is_named_first():
    seeds = sample.claim("K1", sample.subjects(trained=(0.99, 0.97, 0.985)))
    drawn = both(seeds, one("K1", 0.99))
    assert (drawn.lanes[0].label, drawn.lanes[0].text) == ("a, 3 seeds", "0.97; 0.97 … 0.99")
    assert len(drawn.lanes[0].marks) == 3


def test_thresholds_that_differ_are_both_drawn_and_no_side_is_shaded():
    def measured(left, right):
        made = Assertion("x > y", f"{left} > {right}", left > right, left, ">", right, (left - right) / right)
        return sample.claim("K1", [sample.subject("m/seed0", left, asserts=[made])], published=None)

    drawn = both(measured(0.5, 0.4), measured(0.5, 0.6), "x > y")
    assert drawn.threshold == "> 0.4 (a), > 0.6 (b)"
    assert (len(drawn.thresholds), drawn.passes) == (2, None)
    assert both(measured(0.5, 0.4), measured(0.5, 0.6), "another") is None


def test_hostile_names_become_no_markup():
    page = page_of([sample.hostile()], [replace(sample.hostile(), id="K1")], (sample.HOSTILE, "b.json"))
    plain = page_of([one("K1", 0.99)], [one("K2", 0.5)])
    assert {tag for tag, _ in Tree(page).tags} <= {tag for tag, _ in Tree(plain).tags} | {"em", "strong", "path", "p"}
    keys = [key for _, attributes in Tree(page).tags for key in attributes]
    assert not [key for key in keys if key.startswith("on") or key == "style"]


def test_the_command_writes_the_same_page_twice(tmp_path, capsys):
    for name, value in (("a", 0.99), ("b", 0.5)):
        (tmp_path / f"{name}.json").write_text(json.dumps(sample.verdicts([one("K1", value)]).to_json()))
    pages = [tmp_path / "once.html", tmp_path / "again.html"]
    for path in pages:
        assert compare.compare(tmp_path / "a.json", tmp_path / "b.json", html=path) == 0
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert capsys.readouterr().out.startswith(f"wrote {pages[0]}")
    assert len(pages[0].read_bytes()) < 60_000  # without plots there is no plotly in it
