"""What a failed assert is said to be: its name, its threshold and its number, and code only where there is no name."""

import pytest

from grok.verdicts.assertion import named
from grok.verdicts.verdict import Assertion, Result, verdict


@pytest.mark.parametrize(
    ("expression", "values", "left", "op", "right", "name", "against", "said"),
    [
        ("share >= 0.95", "0.91 >= 0.95", 0.91, ">=", 0.95, "share", None, "share ≥ 0.95: measured 0.91"),
        ("kept < SOLVED", "2 < 0.001", 2, "<", 1e-3, "loss", None, "loss < 0.001: measured 2"),
        (
            "a > b",
            "1 > 2",
            1,
            ">",
            2,
            "loss at the end",
            "loss before",
            "loss at the end > loss before: measured 1 against 2",
        ),
        (
            "all(x > 0.9 for x in xs)",
            "2 of 28 fail, the worst by 0.5 > 0.9",
            0.5,
            ">",
            0.9,
            "share of each",
            None,
            "share of each > 0.9: 2 of 28 fail, the worst measured 0.5",
        ),
        ("0.6 <= x <= 0.85", "0.6 <= 0.9 <= 0.85", 0.9, "<=", 0.85, "x", None, "x ≥ 0.6 and ≤ 0.85: measured 0.9"),
        ("x >= 0.95", "0.949999 >= 0.95", 0.949999, ">=", 0.95, "x", None, "x ≥ 0.95: measured 0.949999"),
        ("found == [1]", "[2] == [1]", None, "==", None, "place", None, "place = 1: [2] == [1]"),
        ("at_end > at_grok", "1 > 2", 1, ">", 2, None, None, "1 > 2, from at_end > at_grok"),
        ("1 > 2", "1 > 2", 1, ">", 2, None, None, "1 > 2"),
    ],
)
def test_the_reason_of_a_refuted_claim_is_in_the_words_of_its_evidence(
    expression, values, left, op, right, name, against, said
):
    made = Assertion(expression, values, False, left, op, right, -0.5, name, against)
    assert verdict([Result("mine/seed0", "trained", False, asserts=[made])]) == ("refuted", f"mine/seed0: {said}")


def test_both_bounds_have_one_name_wherever_the_subjects_are():
    ends = ((">=", 0.6), ("<=", 0.85))
    made = [Assertion("0.6 <= x <= 0.85", "", True, 0.7, op, at, 0.1, "share") for op, at in ends]
    assert named(made) == "share ≥ 0.6 and ≤ 0.85"
    assert named([Assertion("a < b < c", "", True, 0.7, op, at, 0.1, "share") for op, at in ends]) is None
