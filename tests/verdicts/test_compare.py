"""Two runs side by side: which values are compared, what is called a change, and what is printed."""

import unicodedata
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from grok.report.compared import lines
from grok.verdicts.claim import Claim, Statement
from grok.verdicts.compare import pairs
from grok.verdicts.record import Run, Verdicts
from grok.verdicts.verdict import Assertion, Result


def asserted(expression, left, right):
    return Assertion(expression, f"{left} >= {right}", left >= right, left, ">=", right, (left - right) / abs(right))


def claim(name, *asserts, control=False, fixture="modadd-mlp"):
    control = Result("untrained-seed0", "control", control, asserts=[asserted("x >= 1", 9.0, 1)] if control else [])
    model = Result("model", "trained", all(a.passed for a in asserts), asserts=list(asserts))
    return Claim.of(Statement(id=name, title=f"The sentence of {name}", fixture=fixture), [model, control])


def test_values_are_of_the_assert_that_decides_and_that_both_came_to():
    first = claim("A", asserted("x >= 1", 2.0, 1), asserted("y >= 1", 1.5, 1))
    second = claim("A", asserted("x >= 1", 0.5, 1))
    [pair] = pairs([first], [second])
    assert (pair.first.value, pair.second.value, pair.change) == (2.0, 0.5, -0.75)
    assert (pair.first.claim.verdict, pair.second.claim.verdict, pair.same_verdict) == ("replicated", "refuted", False)
    [back] = pairs([second], [first])
    assert (back.first.value, back.second.value, back.change) == (0.5, 2.0, 3.0)


def test_the_verdict_may_change_without_the_value():
    made = asserted("x >= 1", 2.0, 1)
    [pair] = pairs([claim("A", made)], [claim("A", made, control=True)])
    assert (pair.change, pair.first.claim.verdict, pair.second.claim.verdict) == (0.0, "replicated", "vacuous")


def test_an_assert_with_a_name_is_the_same_with_another_threshold():
    first, second = (replace(asserted(f"x >= {at}", 2.0, at), name="share") for at in (1, 3))
    [pair] = pairs([claim("A", first)], [claim("A", second)])
    assert (pair.change, pair.first.made, pair.second.made) == (0.0, first, second)
    [other] = pairs([claim("A", first)], [claim("A", replace(second, name="norm"))])
    assert (other.change, other.second.made) == (None, None)


def test_claims_of_one_run_only_are_named_as_such():
    made = asserted("x >= 1", 2.0, 1)
    told = shown([claim("A", made), claim("B", made)], [claim("B", made), claim("C", made)])
    assert [line.split("  ")[-1].strip() for line in told if line[:2] in ("A ", "B ", "C ")] == [
        "only in a: replicated",
        "replicated",
        "only in b: replicated",
    ]
    assert told[-1] == "1 claim in both: 0 with another verdict, 0 more with another value; 1 only in a; 1 only in b"


def test_a_row_says_what_changed_and_the_sentence_stands_below_it():
    told = shown([claim("A", asserted("x >= 1", 2.0, 1))], [claim("A", asserted("x >= 1", 0.5, 1))])
    assert told[0] == "a  first.json: 1 replicated"
    assert told[5].split() == ["A", "2", "0.5", "−75", "%", "replicated", "→", "refuted"]
    assert [line.strip() for line in told[6:8]] == ["The sentence of A", "b: model: 0.5 >= 1, from x >= 1"]


def shown(first, second, width=80):
    found = pairs(first, second)
    runs = (Verdicts(Run(), tuple(first)), Verdicts(Run(), tuple(second)))
    return list(lines(("first.json", "second.json"), runs, found, width))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2), st.text(max_size=200))
def test_no_line_is_wider_than_80_columns_but_for_ids_and_files(values, title):
    first, second = (
        claim(f"A{'9' * i} · modadd-transformer", asserted("x >= 1", value, 1), fixture="modadd-transformer")
        for i, value in enumerate(values)
    )
    both = [replace(first, title=title), replace(second, id=first.id, title=title)]
    for line in shown(both[:1], both[1:])[2:]:
        assert line.isprintable()
        assert sum(0 if unicodedata.combining(c) else 1 for c in line) <= 80
