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


CONTROL = replace(trained(0.31, 0.98), subject="m/untrained-seed0", role="control")
RIVAL = replace(trained(0.56, 0.98), subject="m/number-line", role="rival")


def test_a_row_says_what_decides_beside_the_best_control_and_rival():
    cells = ["0.99", "≥", "0.98", "0.31", "0.56", "0.98241", "+1.02", "%", "replicated", "1/1"]
    names = ["measured", "threshold", "control", "rival", "published", "margin", "verdict"]
    found = claim(subjects=[trained(0.99, 0.98), CONTROL, RIVAL])
    narrow = [line.split() for line in text([found], 80)]
    assert narrow[:4] == [["claim", "sentence"], names, ["K8", *META["title"].split()], cells]
    wide = [line.split() for line in text([found], 140)]
    assert wide[:2] == [["claim", "sentence", *names], ["K8", *META["title"].split(), *cells]]
    assert narrow[-1] == wide[-1] == ["1", "claim:", "1", "replicated"]


LONG = (
    "The embedding is sparse in the Fourier basis, and so is the unembedding, on the same few frequencies, which " * 2
)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_sentence_a_reason_and_a_source_are_never_cut(width):
    reason = "no frequency stands out: the largest ratio is 1.8, under 3, " * 4 + "the end"
    unevaluated = Result("m/seed0", "trained", None, reason)
    two = [claim({"title": LONG, "source_title": LONG}, [trained(0.99, 0.98)]), claim({"id": "K1"}, [unevaluated])]
    two[1] = replace(two[1], fixture="another")
    lines = text(two, width)
    assert not any("…" in line for line in lines)
    title, words = LONG.split(), " ".join(lines)
    if width < 140:  # nothing stands beside it
        assert words.split()[words.split().index("K8") + 1 :][: len(title)] == title
    assert all(words.count(word) >= 2 * title.count(word) for word in title)
    assert reason.split() == words[words.index("no frequency") :].split()[: len(reason.split())]
    assert max(map(columns, lines)) <= width


def test_a_verdict_that_is_not_replicated_gives_its_reason_below():
    refuted = claim(subjects=[trained(0.5, 0.98)])
    vacuous = claim({"id": "K10"}, [trained(1.0, 0.98), Result("m/untrained", "control", True)])
    lines = text([refuted, vacuous])
    assert lines[4].strip() == "m/seed0: 0.5 >= 0.98, from x >= y"
    assert lines[7].strip() == "also holds on controls: untrained"
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
    assert lines[3].endswith(" error")
    assert lines[4].strip() == "on m/seed0: NameError: x"
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
    lines = [line for line in text([mixed, vacuous, refuted, one], 140) if line.startswith(("c", "K"))]
    ends = ["verdict            95 %", "mixed 2/9        6–55 %", "vacuous 2/9      6–55 %", "refuted 0/7      0–35 %"]
    assert [line[-23:] for line in lines] == [*ends, "refuted          0–79 %"]
    assert text([mixed], 80)[3].endswith("mixed 2/9        6–55 %")
    assert "95 %" not in text([one])[1]
    assert max(map(columns, text([mixed], 60))) <= 60


def assertion(expression, left, op, right, margin, passed=True):
    return Assertion(expression, f"{left} {op} {right}", passed, left, op, right, margin)


SLOPE = assertion("abs(slope - 2 / 3) <= 0.1", 0.225, "<=", 0.1, -1.25, passed=False)


@pytest.mark.parametrize(
    ("asserts", "shown"),
    [
        # a claim of two quantities that fails on the second: the published value is that of the first, and is not shown
        ([assertion("r2 >= 0.9", 0.936, ">=", 0.9, 0.04), SLOPE], ("0.225", "≤ 0.1", "–", "−125 %")),
        # the published value of the quantity that decides, though another has one too
        ([assertion("r2 >= 0.9", 0.936, ">=", 0.9, 0.04)], ("0.936", "≥ 0.9", "0.93", "+4 %")),
        # what holds by least decides, whatever comes first
        (
            [assertion("loss < 0.1", 1e-5, "<", 0.1, 0.9999), assertion("r2 >= 0.9", 0.936, ">=", 0.9, 0.04)],
            ("0.936", "≥ 0.9", "0.93", "+4 %"),
        ),
        # a comparison of no numbers failed: no other number stands for it
        (
            [
                assertion("r2 >= 0.9", 0.936, ">=", 0.9, 0.04),
                assertion("order == [1, 2]", None, "==", None, None, False),
            ],
            ("–", "–", "–", "–"),
        ),
    ],
)
def test_the_assert_that_decides_is_shown(asserts, shown):
    evidence = [Evidence("R² of a line", 0.936, published=0.93), Evidence("slope", 0.44, published="hypothesis 2/3")]
    holds = all(a.passed for a in asserts)
    subject = Result("m/seed0", "trained", holds, evidence=evidence, asserts=asserts, margin=-1.25)
    found = terminal.figures(claim({"published": (0.93, "2/3", 3)}, [subject]))
    assert tuple(found[name] for name in ("measured", "threshold", "published", "margin")) == shown


def test_the_name_of_a_quantity_goes_before_its_value():
    """Two quantities that happen to be equal: the published value is that of the one which the assert names."""
    evidence = [Evidence("train accuracy", 1.0, published=0.99), Evidence("test accuracy", 1.0)]
    made = replace(assertion("test >= 0.9", 1.0, ">=", 0.9, 0.11), name="test accuracy")
    found = claim({"published": 0.7}, [Result("m/seed0", "trained", True, evidence=evidence, asserts=[made])])
    assert terminal.figures(found)["published"] == "–"
    made = replace(made, name="train accuracy")
    found = claim(subjects=[Result("m/seed0", "trained", True, evidence=evidence, asserts=[made])])
    assert terminal.figures(found)["published"] == "0.99"


def test_of_several_models_the_one_that_fails_by_most_is_shown():
    worst = replace(trained(0.4, 0.98), subject="m/seed2")
    broken = Result("m/seed3", "trained", None, "no train pairs")
    assert (
        terminal.figures(claim(subjects=[broken, trained(0.99, 0.98), trained(0.5, 0.98), worst]))["measured"] == "0.4"
    )


@pytest.mark.parametrize(("published", "shown"), [(0.98241, "0.98241"), ("same subset", "–"), ((0.73, 0.9), "–")])
def test_the_published_number_of_a_claim_is_that_of_its_only_quantity(published, shown):
    assert terminal.figures(claim({"published": published}, [trained(0.99, 0.98)]))["published"] == shown


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
    st.sampled_from([60, 80, 100, 140, 500]),
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
