import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok.suite import terminal
from grok.verdicts.claim import Claim, Statement
from grok.verdicts.verdict import Assertion, Evidence, Result

META = {
    "id": "K8",
    "title": "W_U lives on K",
    "published": 0.98241,
    "fixture": "modadd-mlp",
    "source_title": "MLP",
}


def claim(meta=None, subjects=()):
    return Claim.of(Statement(**{**META, **(meta or {})}), subjects)


def trained(value, threshold, evidence=()):
    margin = (value - threshold) / threshold
    found = Assertion("x >= y", f"{value} >= {threshold}", value >= threshold, value, ">=", threshold, margin)
    return Result("m/seed0", "trained", value >= threshold, evidence=list(evidence), asserts=[found])


def text(claims, width=80):
    return ["".join(part for part, _ in line) for line in terminal.table(claims, width)]


def columns(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def test_a_row_says_claim_measured_control_published_verdict():
    lines = text([claim(subjects=[trained(0.99, 0.98), Result("m/untrained", "control", False)])])
    assert lines[0].split() == ["claim", "sentence", "measured", "control", "published", "verdict"]
    assert lines[1].split() == ["K8", *META["title"].split(), "0.99", "–", "0.98241", "replicated", "1/1"]
    control = replace(trained(0.31, 0.98), subject="m/untrained-seed0", role="control")
    rival = replace(trained(0.56, 0.98), subject="m/number-line", role="rival")
    wide = text([claim(subjects=[trained(0.99, 0.98), control, rival])], 120)
    assert wide[1].split()[-8:] == ["0.99", "0.31", "0.56", "0.98241", "+1.02", "%", "replicated", "1/1"]
    assert lines[-1] == "1 claim: 1 replicated"


def test_a_verdict_that_is_not_replicated_gives_its_reason_below():
    refuted = claim(subjects=[trained(0.5, 0.98)])
    vacuous = claim({"id": "K10"}, [trained(1.0, 0.98), Result("m/untrained", "control", True)])
    lines = text([refuted, vacuous])
    assert lines[2].strip() == "m/seed0: 0.5 >= 0.98, from x >= y"
    assert lines[4].strip() == "also holds on controls: untrained"
    assert lines[-1] == "2 claims: 1 refuted, 1 vacuous"


def test_a_damaged_fixture_is_told_once():
    broken = [claim({"id": f"C{i}"}, [Result("m/seed0", "trained", None, error="no such fixture")]) for i in (1, 2)]
    vacuous = claim(subjects=[trained(1.0, 0.98), Result("m/untrained", "control", True)])
    lines = text([broken[0], vacuous, broken[1], vacuous])
    assert sum("no such fixture" in line for line in lines) == 1
    assert sum("also holds on controls: untrained" in line for line in lines) == 2


def test_an_error_is_a_verdict_of_its_own():
    unevaluated = claim({"id": "K1"}, [Result("m/seed0", "trained", None, "no train pairs")])
    lines = text([claim(subjects=[Result("m/seed0", "trained", None, error="NameError: x")]), unevaluated])
    assert lines[1].endswith(" error")
    assert lines[2].strip() == "on m/seed0: NameError: x"
    assert lines[-1] == "2 claims: 1 not evaluated, 1 error"


def test_what_ran_without_a_control_is_not_replicated():
    assert text([claim(subjects=[trained(0.99, 0.98)])])[-1] == "1 claim: 1 uncontrolled"
    reasoned = text([claim({"no_control": "by nature"}, [trained(0.99, 0.98)])])
    assert any("by nature" in line for line in reasoned)


def test_over_several_seeds_every_verdict_has_its_share_and_interval():
    """2 of 9 hold: Wilson 1927 gives 6.3 … 54.7 %."""
    held = [replace(trained(0.99 if i < 2 else 0.5, 0.98), subject=f"m/seed{i}") for i in range(9)]
    control = Result("m/untrained", "control", True)
    untrained = Result("m/untrained", "control", False)
    mixed, vacuous = claim(subjects=[*held, untrained]), claim({"id": "K10"}, [*held, control])
    refuted, one = claim({"id": "K2"}, held[2:]), claim({"id": "K3"}, [trained(0.5, 0.98)])
    lines = [line for line in text([mixed, vacuous, refuted, one]) if line.startswith(("c", "K"))]
    ends = ["verdict            95 %", "mixed 2/9        6–55 %", "vacuous 2/9      6–55 %", "refuted 0/7      0–35 %"]
    assert [line[-23:] for line in lines] == [*ends, "refuted          0–79 %"]
    assert "95 %" not in text([one])[0]
    assert max(map(columns, text([mixed], 60))) <= 60


def test_the_published_figure_is_that_of_the_measured_one():
    evidence = [Evidence("train", 0.1, published=1.0), Evidence("test", 0.99, published=2.0)]
    found = terminal.figures(claim(subjects=[trained(0.99, 0.98, evidence)]))
    assert (found["measured"], found["published"]) == ("0.99", "2")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.98241, "0.98241"),
        (0.0028445123, "0.002845"),
        (1.04e-6, "1.04e-6"),
        (123456.0, "1.2346e5"),
        ([0.5, 2], "0.5, 2"),
        ({"a": 1}, "table"),
        (None, "–"),
    ],
)
def test_numbers_fit_their_column(value, shown):
    assert terminal.number(value) == shown


@given(
    st.lists(st.tuples(st.text(), st.text(min_size=1), st.one_of(st.none(), st.text(), st.floats(allow_nan=False)))),
    st.floats(1e-9, 1e9),
    st.sampled_from([60, 80, 120, 500]),
)
def test_no_line_is_wider_than_the_terminal(metas, value, width):
    claims = [
        claim({"id": f"C{i}", "title": t, "fixture": f, "published": p}, [trained(value, 0.98)])
        for i, (t, f, p) in enumerate(metas)
    ]
    if claims:
        lines = text(claims, width)
        assert max(map(columns, lines)) <= width
        assert all(line.isprintable() for line in lines)
