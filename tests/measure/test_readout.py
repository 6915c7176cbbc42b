"""What is in U beside K, and seeds that share frequencies, with the answer built in."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.errors import NotEvaluable
from grok.fourier.basis import basis, rows
from grok.measure import readout, universality
from grok.models import analytic
from grok.models.architectures import network
from grok.task import Task

SETS = st.sets(st.integers(1, 6), max_size=4)


@settings(max_examples=25, deadline=None)
@given(p=st.sampled_from([11, 13, 17, 23]), data=st.data(), other=st.floats(0, 3), constant=st.floats(-3, 3))
def test_rest_is_what_was_put_on_other_frequencies(p, data, other, constant):
    keys = sorted(data.draw(st.sets(st.integers(1, (p - 1) // 2), min_size=1, max_size=(p - 3) // 2)))
    beside = next(k for k in range(1, p) if k not in keys)
    g = torch.Generator().manual_seed(p)
    on, off = torch.randn(9, 2 * len(keys), generator=g).double(), torch.randn(9, 2, generator=g).double()
    U = on @ basis(p)[rows(keys)] + other * off @ basis(p)[rows([beside])] + constant
    expected = other**2 * off.square().sum() / (on.square().sum() + other**2 * off.square().sum())
    rest = readout.rest_of_readout(U, keys)
    assert rest.square == pytest.approx(float(expected), abs=1e-12)
    assert rest.norm == pytest.approx(math.sqrt(expected), abs=1e-6)
    turned = torch.linalg.qr(torch.randn(9, 9, generator=g).double()).Q @ U
    assert readout.rest_of_readout(turned, keys).square == pytest.approx(rest.square, abs=1e-12)


def test_nothing_of_a_readout_without_frequencies_is_on_any():
    assert readout.rest_of_readout(torch.ones(4, 11), [2]) == readout.Rest(1.0, 1.0)
    assert readout.evenness(torch.zeros(4, 11)) == 0


@settings(max_examples=10, deadline=None)
@given(p=st.sampled_from([11, 13, 17]), weak=st.floats(0, 1))
def test_evenness_is_the_weakest_frequency_over_the_strongest(p, weak):
    task, every = Task(p), range(1, (p + 1) // 2)
    U = network(analytic.mlp(task, every, 1), task).U
    assert readout.evenness(U) == pytest.approx(1)
    one = basis(p)[rows([2])]
    assert readout.evenness(U - (1 - weak) * U @ one.T @ one) == pytest.approx(weak**2, abs=1e-12)
    assert readout.evenness(network(analytic.mlp(task, [1, 3], 1), task).U) == pytest.approx(0, abs=1e-20)


@settings(max_examples=25, deadline=None)
@given(SETS, SETS)
def test_jaccard_index(one, other):
    found = universality.jaccard(one, other)
    assert found == universality.jaccard(other, one)
    assert (found == 1) == (one == other)
    assert (found == 0) == (one.isdisjoint(other) and one != other)


def test_mean_jaccard_is_over_all_pairs_of_seeds():
    assert universality.mean_jaccard([(1, 2), (2, 3), (4,)]) == pytest.approx((1 / 3 + 0 + 0) / 3)
    with pytest.raises(NotEvaluable, match="at least two"):
        universality.mean_jaccard([(1, 2)])
