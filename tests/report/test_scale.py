"""The number line of an assert: what stands on it and where, and what the assert is called."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sample

from grok.report.axis import Axis
from grok.report.scale import named, scales

NINE = (0.91, 0.985, 0.93, 0.99, 0.95, 0.97, 0.96, 0.94, 0.98)


def drawn(claim):
    (scale,) = scales(claim)
    return scale


def positions(claim) -> dict[str, float]:
    scale = drawn(claim)
    spans = [lane.span for lane in scale.lanes if lane.kind == "random"]
    at = dict(zip(("low", "high"), spans[0], strict=True)) if spans else {}
    return {m.label: m.x for lane in scale.lanes for m in lane.marks} | {"threshold": scale.thresholds[0]} | at


def test_everything_stands_on_one_scale_in_its_order():
    at = positions(sample.claim("K1", sample.subjects()))
    order = ["low", "untrained", "memorised", "threshold", "seed0", "published"]
    # 0.2 < 0.31 = high < 0.42 < 0.98 < 0.9823 < 0.98241
    assert sorted(order, key=at.get) == order
    assert at["high"] == at["untrained"]
    assert min(at.values()) >= 0
    assert max(at.values()) <= 100
    part = (at["memorised"] - at["low"]) / (at["published"] - at["low"])
    assert part == pytest.approx((0.42 - 0.2) / (0.98241 - 0.2), abs=1e-3)


def test_numbers_far_apart_get_a_logarithmic_scale_and_a_control_near_nought_does_not():
    subjects = [sample.subject(f"x/{n}", v, "<=", 1e-5, evidence=[]) for n, v in (("seed0", 1e-6), ("untrained", 10.0))]
    at = positions(sample.claim("K2", subjects, published=1e-4))
    assert at["published"] - at["threshold"] == pytest.approx(at["threshold"] - at["seed0"], abs=0.02)
    subjects = [sample.subject(f"x/{n}", v, evidence=[]) for n, v in (("seed0", 0.99), ("untrained", 1e-9))]
    at = positions(sample.claim("K3", subjects, published=0.49))
    assert at["published"] - at["untrained"] == pytest.approx(at["seed0"] - at["published"], rel=0.03)


def test_the_side_that_passes_is_shaded():
    above, below = (drawn(sample.claim("K1", sample.subjects(op=op))) for op in (">=", "<="))
    assert above.passes == (above.thresholds[0], 100)
    assert below.passes == (0, below.thresholds[0])
    assert (above.threshold, below.threshold) == ("≥ 0.98", "≤ 0.98")


def test_a_control_that_failed_earlier_still_stands_on_the_scale_if_its_value_is_known():
    first = sample.assertion(0.2, ">=", 0.9, "other >= 0.9")
    short = sample.subject("x/memorised", 0.42, asserts=[first])
    claim = sample.claim("K1", [sample.subject("x/seed0", 0.9823), short])
    scale = next(s for s in scales(claim) if s.expression == "ratio >= 0.98")
    found = {mark.label: mark.number for lane in scale.lanes for mark in lane.marks}
    assert found == {"seed0": 0.9823, "memorised": 0.42, "published": 0.98241}


def test_both_bounds_of_an_interval_are_drawn():
    made = replace(sample.assertion(0.7, ">=", 0.6, "0.6 <= share <= 0.85"), name="share")
    scale = drawn(sample.claim("F2", [sample.subject("x/seed0", 0.7, asserts=[made])], published=None))
    assert scale.threshold == "≥ 0.6 and ≤ 0.85"
    assert scale.passes == scale.thresholds
    assert scale.name == "share ≥ 0.6 and ≤ 0.85"


def test_many_draws_are_one_range_with_its_mark_at_the_nearest():
    draws = [sample.subject(f"x/untrained-seed{i}", v) for i, v in enumerate((0.3, 0.5, 0.4))]
    scale = drawn(sample.claim("K1", [sample.subject("x/seed0", 0.99), *draws]))
    (lane,) = (lane for lane in scale.lanes if lane.kind == "untrained")
    at = {mark.number: mark.x for mark in lane.marks}
    assert (lane.label, lane.text) == ("3 untrained", "0.3 … 0.5")
    assert lane.span == (at[0.3], at[0.5])
    assert lane.nearest == at[0.5]


def test_five_seeds_have_a_median_and_a_scale_that_some_did_not_reach_says_so():
    first = sample.assertion(0.2, ">=", 0.9, "other >= 0.9")
    short = [sample.subject(f"modadd-mlp/seed{i}", 0.4, asserts=[first], evidence=[]) for i in (5, 6)]
    claim = sample.claim("K1", [*sample.subjects(trained=NINE[:5])[:5], *short])
    scale = next(s for s in scales(claim) if s.expression == "ratio >= 0.98")
    (lane,) = (lane for lane in scale.lanes if lane.kind == "trained")
    assert lane.label == "5 seeds of 7"
    assert lane.text.startswith("median 0.95 (95 % ")
    assert (scale.many, scale.measured) == (5, "0.95")


def test_separation_runs_from_the_worst_trained_to_the_nearest_that_must_fail():
    claim = sample.claim("K1", sample.subjects(trained=(0.99, 0.985)))
    scale, at = drawn(claim), positions(claim)
    assert scale.separation.x == (at["memorised"], at["seed1"])
    assert scale.separation.text == "57.7 % of the threshold, to memorised"
    vacuous = drawn(sample.claim("K2", sample.subjects(untrained=0.99)))
    assert (vacuous.separation.x, vacuous.separation.text) == (None, "none: untrained comes as far")
    refuted = drawn(sample.claim("K3", sample.subjects(trained=(0.9,))))
    assert refuted.separation.text.endswith("; the threshold is not between")
    assert drawn(sample.claim("K4", sample.subjects()[:1])).separation is None


@pytest.mark.parametrize(
    ("expression", "name", "against", "shown"),
    [
        ("share >= 0.9", "share of the logits", None, "share of the logits ≥ 0.9"),
        ("0.9 <= share", "share of the logits", None, "share of the logits ≥ 0.9"),
        ("at_end >= before", "loss at the end", "loss before", "loss at the end ≥ loss before"),
        ("loss >= 10 * max(draws)", "loss", None, "loss ≥ 10 * max(draws)"),
        ("all(x >= 0.9 for x in xs)", "share of each head", None, "share of each head: each ≥ 0.9"),
        ("xs[0] >= 0.9", None, None, None),
        ("a > b >= c", "a of one", None, None),
        ("not Python at all", "share", None, None),
    ],
)
def test_an_assert_is_told_in_the_words_of_its_evidence(expression, name, against, shown):
    made = replace(sample.assertion(0.95, ">=", 0.9, expression), name=name, against=against)
    claim = sample.claim("K1", [sample.subject("x/seed0", 0.95, asserts=[made])])
    assert named(claim, expression) == shown
    (scale,) = scales(claim)
    assert scale.name == shown


def test_a_chain_whose_tightest_part_differs_between_networks_has_no_name():
    made = [replace(sample.assertion(v, ">=", 0.9, "a >= b >= c"), name=name) for v, name in ((0.95, "a"), (0.2, "b"))]
    subjects = [sample.subject(n, m.left, asserts=[m]) for n, m in zip(("x/seed0", "x/untrained"), made, strict=True)]
    assert named(sample.claim("K1", subjects), "a >= b >= c") is None


def test_an_axis_has_room_for_every_value():
    axis = Axis.over([1e-9, 0.5, 1.0], [0.5, 1.0])
    assert not axis.log
    assert 0 <= axis(1e-9) < axis(0.5) < axis(1.0) <= 100
