"""How far trained models stand apart from the networks on which a claim must fail."""

import pytest

from grok.verdicts.separation import asserts, separation
from grok.verdicts.verdict import Assertion, Result


def measured(name, role, *values, threshold=0.8):
    """A subject with asserts ``x0 >= threshold``, ``x1 >= threshold``, … up to the first that fails."""
    made = []
    for i, x in enumerate(values):
        passed = x >= threshold
        text = f"x{i} >= {threshold}"
        made.append(Assertion(text, text, passed, x, ">=", threshold, (x - threshold) / threshold))
        if not passed:
            break
    return Result(name, role, all(a.passed for a in made), asserts=made)


TRAINED = [measured("m/seed0", "trained", 0.9, 1.0), measured("m/seed1", "trained", 1.0, 1.0)]


def test_the_nearest_control_or_rival_counts_from_the_worst_trained_model():
    far, near = measured("m/untrained-seed0", "control", 0.1), measured("m/number-line", "rival", 0.7)
    found = separation([*TRAINED, far, near])
    assert (found.nearest, found.threshold_inside) == ("m/number-line", True)
    assert found.gap == pytest.approx((0.9 - 0.7) / 0.8)
    assert found.separated
    [first, second] = asserts([*TRAINED, far, near])
    assert (first.trained.subject, first.trained.value) == ("m/seed0", 0.9)
    assert (first.control.value, first.rival.value, first.threshold, first.separated) == (0.1, 0.7, 0.8, True)
    assert second.control is None, "none reached it"


def test_a_control_that_fails_another_assert_is_set_apart_by_that_one():
    found = separation([*TRAINED, measured("m/memorised-seed0", "control", 0.95, 0.2)])
    assert found.gap == pytest.approx((1.0 - 0.2) / 0.8)
    assert found.separated


def test_there_may_be_a_gap_with_the_threshold_outside():
    found = separation([*TRAINED, measured("m/untrained-seed0", "control", 0.85, 0.9)])
    assert found.gap == pytest.approx((1.0 - 0.9) / 0.8)
    assert not found.separated


def test_as_good_as_a_trained_model_is_no_gap():
    found = separation([*TRAINED, measured("m/number-line", "rival", 1.0, 1.0)])
    assert found.gap == 0
    assert not found.separated


def test_what_fails_before_any_number_is_apart_without_one():
    found = separation([*TRAINED, Result("m/untrained-seed0", "control", False)])
    assert (found.gap, found.separated) == (None, True)


def test_without_controls_or_without_numbers_there_is_none():
    assert separation(TRAINED) is None
    assert separation([Result("m/seed0", "trained", True), measured("m/c", "control", 0.1)]) is None
    assert separation([*TRAINED, Result("m/c", "control", None)]) is None
