"""The spread of a measure over seeds, against what can be computed exactly."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.verdicts import seeds
from grok.verdicts.claim import Claim, Statement
from grok.verdicts.seeds import at_or_below, bootstrap, measures, spread
from grok.verdicts.verdict import Evidence, Result


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12))
def test_intervals_lie_within_the_range_and_are_the_same_each_time(values):
    s = spread(values)
    assert s.low <= s.median <= s.high
    assert (s.median_interval is None) == (s.sd_interval is None) == (len(values) < seeds.LEAST)
    if s.median_interval is not None:
        assert s.low <= s.median_interval[0] <= s.median_interval[1] <= s.high
        assert spread(values) == s  # seeded


def binomial(n: int, share: float) -> np.ndarray:
    """P(at most k) for k = 0 … n."""
    return np.cumsum([comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)])


@pytest.mark.parametrize("n", [5, 7, 9, 15, 31])
def test_interval_of_the_median_is_the_exact_one(n):
    """A resample's median is at most the k-th smallest of n values if more than half of its draws are: a binomial.

    So all resamples there are, n^n, have their 2.5 % quantile at a known one of the values; likewise from above.
    """
    values = [float(3**i) for i in range(n)]
    at_most = [1 - binomial(n, k / n)[n // 2] for k in range(1, n + 1)]
    first = next(i for i, share in enumerate(at_most) if share > 0.025)
    assert spread(values[::-1]).median_interval == (values[first], values[-1 - first])


def test_interval_of_the_standard_deviation_is_the_exact_one():
    """One 1 among nine values draws k ones with k binomial(9, 1/9); the standard deviation is √(k (9-k) / 72)."""
    at_most = binomial(9, 1 / 9)
    low, high = (int(np.argmax(at_most >= share)) for share in (0.025, 0.975))
    assert (low, high) == (0, 3)
    assert spread([0.0] * 8 + [1.0]).sd_interval == pytest.approx((0, (3 * 6 / 72) ** 0.5))


def test_interval_of_a_mean_is_the_textbooks():
    """For 400 normal values the percentile interval of the mean is mean ± 1.96 s/√n, to a twentieth of its width."""
    x = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap(x, lambda draws: draws.mean(axis=-1))
    half = 1.96 * x.std() / 20
    assert low == pytest.approx(x.mean() - half, abs=half / 10)
    assert high == pytest.approx(x.mean() + half, abs=half / 10)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_no_spread_of_nothing_or_of_what_is_not_finite(values):
    with pytest.raises(ValueError):
        spread(values)


def subject(name, role, **evidence):
    found = [Evidence(key, value, 0.5 if key == "m" else None) for key, values in evidence.items() for value in values]
    return Result(name, role, True, evidence=found)


def test_measures_are_one_number_for_each_seed():
    """Controls and checkpoints are no seeds; texts, truths, tables no numbers; a repeated name has no single value."""
    told = {"table": [[1, 2]], "text": ["x"], "truth": [True]}
    subjects = [
        subject("r/seed0", "trained", m=[0.25], twice=[1.0, 2.0], **told),
        subject("r/seed1", "trained", m=[0.75], late=[3], twice=[1.0]),
        subject("mine", "checkpoint", m=[9.0]),
        subject("r/untrained", "control", m=[99.0]),
    ]
    m, late = measures(Claim.of(Statement(id="K1", title="t"), subjects))
    assert (m.name, m.values, m.published) == ("m", (0.25, 0.75), 0.5)
    assert (late.name, late.values, late.published) == ("late", (3,), None)
    assert at_or_below(m.values, 0.5) == 1
