"""Recorded asserts and evidence: the numbers of a claim are kept as they were when it ran."""

import math

import pytest
import torch

from grok.claim import claim
from grok.errors import NotEvaluable
from grok.suite import asserts
from grok.suite.evidence import NotFinite, Recorder, recording
from grok.verdicts.verdict import least


def _plain(x, xs=()):
    assert x >= 0.98


def _several(x, xs=()):
    for value in xs:
        assert 0.5 <= value  # noqa: SIM300
    assert x == 1 and 8 <= x + 9 <= 16, "with a message"  # noqa: PT018


def _every(x, xs=()):
    assert all(value > 0.84 for value in xs)


def _sets(x, xs=()):
    assert not xs
    assert x == {1, 5, 34}


def _named(x, xs=()):
    evidence = Recorder()
    share = evidence("share of the logits", x)
    table = evidence("share of each head", {"a": 2 * x})
    again = evidence("first", x)
    again = x + 1
    kept = 1 if xs else 0
    assert share >= 0.5
    assert 0.1 < share  # noqa: SIM300
    assert evidence("twice", 2 * x) > share
    assert all(value > 0.2 for value in table.values())
    assert all(value > 0 for value in [x])
    assert all(one > other for one, other in zip(table.values(), [x], strict=True))
    assert again > x * kept


EXPRESSIONS = {f: asserts.recorded(f) for f in (_plain, _several, _every, _sets, _named)}


def record(function, *args):
    recorder = Recorder()
    with recording(recorder):
        try:
            function(*args)
        except AssertionError:
            return recorder, False
    return recorder, True


@pytest.mark.parametrize(("x", "holds", "values"), [(0.98241, True, "0.98241 >= 0.98"), (0.95, False, "0.95 >= 0.98")])
def test_numbers_and_margin_are_recorded_whether_it_holds_or_not(x, holds, values):
    recorder, passed = record(_plain, torch.tensor(x, dtype=torch.float64))
    (found,) = recorder.asserts
    assert passed is found.passed is holds
    assert (found.expression, found.values) == ("x >= 0.98", values)
    assert (found.left, found.op, found.right) == (x, ">=", 0.98)
    assert found.margin == pytest.approx((x - 0.98) / 0.98)


def test_digits_suffice_to_tell_measured_from_threshold():
    recorder, _ = record(_plain, 0.97999999)
    assert recorder.asserts[0].values == "0.97999999 >= 0.98"


def test_every_pass_through_a_loop_and_every_part_of_a_chain_counts():
    recorder, passed = record(_several, 1, [0.9, 0.6, 0.7])
    assert passed
    assert [a.expression for a in recorder.asserts] == ["0.5 <= value"] * 3 + ["x == 1", "8 <= x + 9 <= 16"]
    assert [a.margin for a in recorder.asserts] == pytest.approx([0.8, 0.2, 0.4, None, 0.25])
    loop, chain = recorder.asserts[1], recorder.asserts[-1]
    assert (loop.left, loop.op, loop.right) == (0.6, ">=", 0.5), "the measured side is on the left"
    assert (chain.left, chain.op, chain.right, chain.values) == (10, ">=", 8, "8 <= 10 <= 16")
    assert EXPRESSIONS[_several] == ("0.5 <= value", "x == 1 and 8 <= x + 9 <= 16")


def test_what_follows_a_failed_part_is_not_evaluated():
    recorder, passed = record(_several, 2)
    assert not passed
    assert [(a.expression, a.margin) for a in recorder.asserts] == [("x == 1", -1.0)]


def test_all_is_recorded_by_its_tightest():
    recorder, passed = record(_every, None, [0.9, 0.83532, 0.95, 0.8])
    (found,) = recorder.asserts
    assert not passed
    assert found.values == "2 of 4 fail, the worst by 0.8 > 0.84"
    assert found.margin == pytest.approx(-0.04 / 0.84)
    with pytest.raises(NotEvaluable, match="nothing to compare"):
        record(_every, None, [])


def test_a_side_is_called_by_the_evidence_that_its_variable_holds():
    recorder, passed = record(_named, 0.75)
    assert passed
    assert [(a.name, a.against) for a in recorder.asserts] == [
        ("share of the logits", None),
        ("share of the logits", None),
        ("twice", "share of the logits"),
        ("share of each head", None),
        (None, None),  # the list is no evidence
        ("share of each head", None),
        (None, None),  # bound twice
    ]


def test_what_is_no_comparison_of_numbers_has_no_margin():
    recorder, passed = record(_sets, {1, 5})
    assert not passed
    assert recorder.asserts[1].values == "{1, 5} == {1, 5, 34}"
    assert least(a.margin for a in recorder.asserts) is None


@pytest.mark.parametrize("x", [math.nan, math.inf, torch.tensor(math.nan)])
def test_nan_is_neither_kept_nor_compared(x):
    with pytest.raises(NotFinite):
        Recorder()("measure", x)
    with pytest.raises(NotFinite), recording(Recorder()):
        _plain(x)


def test_outside_the_plugin_an_assert_is_an_assert():
    with pytest.raises(AssertionError):
        _plain(0.5)
    with pytest.raises(AssertionError, match="with a message"):
        _several(2)


def test_evidence_is_plain_json_and_comes_back():
    evidence = Recorder()
    assert isinstance(evidence("scalar", torch.tensor(0.123456789012345, dtype=torch.float64)), float)
    table = {"cos 1": torch.tensor([1.0, 2.0])}
    assert evidence("table", table, control_draws=torch.tensor([3.0, 1.0, 2.0])) is table
    scalar, kept = evidence.evidence
    assert scalar.value == 0.123456789
    assert (kept.value, kept.control_range, kept.control_draws) == ({"cos 1": [1.0, 2.0]}, [1.0, 3.0], 3)
    evidence.plot("fve", "FVE", x=range(2), fve=[1 / 3, 2 / 3])
    assert evidence.plots[0].data == {"x": [0, 1], "fve": [0.3333, 0.6667]}
    with pytest.raises(ValueError, match="over 60000"):
        evidence.plot("spectrum_2d", "all", norm=torch.rand(113, 113))
    with pytest.raises(TypeError, match="evidence is numbers"):
        evidence("object", object())


def test_arrays_of_a_plot_are_made_only_if_it_is_kept():
    evidence = Recorder()
    evidence.plot("panels", "heads", lambda: {"head 0": [[1.0]]}, axes=["b", "a"])
    assert evidence.plots[0].data == {"head 0": [[1.0]], "axes": ["b", "a"]}
    evidence.keeps_plots = False
    evidence.plot("panels", "heads", lambda: pytest.fail("made"), share=lambda: pytest.fail("made"))
    assert len(evidence.plots) == 1


@pytest.mark.parametrize(
    "wrong", [{"about": "magic"}, {"threshold": "taste"}, {"threshold": "source"}, {"because": "x"}]
)
def test_what_a_claim_says_of_itself_is_checked(wrong):
    with pytest.raises(ValueError, match="claim S1"):
        claim("S1", "Untrained losses", **wrong)


def test_a_claim_stands_where_its_source_can_be_read():
    x = 1

    def test_closed_over():
        assert x == 1

    with pytest.raises(TypeError, match="enclosing function"):
        claim("X1", "x is one")(test_closed_over)
    exec(compile("def test_typed_in():\n    assert 1", "<nowhere>", "exec"), namespace := {})
    with pytest.raises(TypeError, match="no source"):
        claim("X2", "one is true")(namespace["test_typed_in"])
