"""The delay of the grok by train fraction, on loss curves with a known answer."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok.errors import NotEvaluable
from grok.measure.fractions import Run, delays, generalised, reached, trend


@given(st.floats(0.001, 0.1), st.integers(1, 300))
def test_an_exponential_reaches_its_level_at_the_known_step(rate: float, every: int):
    steps = list(range(0, 20_000, every))
    losses = [math.exp(1 - rate * step) for step in steps]
    expected = (1 + math.log(100)) / rate
    if expected < steps[-1]:
        assert reached(steps, losses) == pytest.approx(expected, abs=1e-6 * expected)
    else:
        assert reached(steps, losses) is None


def test_a_loss_that_begins_below_its_level_is_there_at_once():
    assert reached([0, 100], [0.001, 0.1]) == 0


def test_delays_are_geometric_means_by_fraction():
    runs = [Run(0.5, 100, 200), Run(0.3, 100, 400), Run(0.5, 100, 800), Run(0.3, 100, 400), Run(0.2, 100, None)]
    found = delays(runs)
    assert list(found) == [0.2, 0.3, 0.5]
    assert found[0.3] == found[0.5] == pytest.approx(4)
    assert math.isnan(found[0.2])
    with pytest.raises(ValueError, match="before its first step"):
        delays([Run(0.5, 0, 100)])


def test_the_trend_is_of_the_fractions_that_generalised():
    found = generalised(delays([Run(f, 100, 100 / f) for f in (0.2, 0.4, 0.8)] + [Run(0.1, 100, None)]))
    assert list(found) == [0.2, 0.4, 0.8]
    assert trend(found) == -1
    assert trend({0.2: 1, 0.4: 3, 0.8: 2}) == pytest.approx(0.5)
    with pytest.raises(NotEvaluable, match="three train fractions"):
        generalised({0.5: 1.0, 0.6: 1.0, 0.2: math.nan})
