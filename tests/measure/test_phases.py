"""Phases of neurons of networks whose phases were written down."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.measure import phases
from grok.models import analytic, names
from grok.models.architectures import network
from grok.models.quadratic import QuadraticMLP, gromov
from grok.task import Task

OPERATIONS = st.sampled_from(["add_mod", "sub_mod"])


@settings(max_examples=15, deadline=None)
@given(p=st.sampled_from([11, 13, 17, 23]), operation=OPERATIONS, off=st.floats(0, 3.1), seed=st.integers(0, 99))
def test_agreement_is_the_resultant_of_what_was_added_to_the_phases_out(p, operation, off, seed):
    task = Task(p, operation)
    model = gromov(task, 40, seed)
    assert phases.agreement(model).length == pytest.approx(1)
    added = off * torch.rand(40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    k = 1 + torch.arange(40) % ((p - 1) // 2)
    generator = torch.Generator().manual_seed(seed)
    of_a, of_b = 2 * math.pi * torch.rand(2, 40, generator=generator, dtype=torch.float64)
    angles = 2 * math.pi / p * torch.outer(k, torch.arange(p)).double()
    turned = model.weights | {names.TWO_HOT_OUT: (angles + (of_a + of_b + added)[:, None]).cos()}
    found = phases.agreement(QuadraticMLP(task, turned, None))
    assert found.length == pytest.approx(float(torch.exp(1j * added).mean().abs()), abs=1e-6)
    assert len(set(found.permuted)) > 1
    torch.testing.assert_close((found.written - found.read - added).cos(), torch.ones(40).double(), atol=1e-6, rtol=0)
    assert phases.resultant(found.read - found.written, found.weights) == pytest.approx(found.length)


@settings(max_examples=10, deadline=None)
@given(p=st.sampled_from([11, 13, 23]), operation=OPERATIONS, data=st.data())
def test_analytic_transformers_agree(p, operation, data):
    keys = sorted(data.draw(st.sets(st.integers(1, (p - 1) // 2), min_size=1, max_size=3)))
    task = Task(p, operation)
    assert phases.agreement(network(analytic.transformer(task, keys, 1), task)).length == pytest.approx(1)


def test_permuted_outputs_do_not_agree():
    found = phases.agreement(gromov(Task(23), 440))
    assert found.length == pytest.approx(1)
    assert found.median < 0.2
    assert found == phases.agreement(gromov(Task(23), 440)), "the same permutations each time"


def test_what_tokens_tell_a_neuron_of_an_mlp_is_W_neur():
    task = Task(11)
    model = network(analytic.mlp(task, [2, 3], 1), task)
    for table in phases.inputs(model):
        centred = model.W_neur - model.W_neur.mean(0)
        torch.testing.assert_close(table - table.mean(0), centred, atol=1e-12, rtol=0)


@settings(max_examples=15, deadline=None)
@given(which=st.sets(st.integers(0, 22), min_size=5))
def test_spread_of_chosen_phases(which):
    chosen = sorted(which)
    task = Task(23)
    whole = analytic.mlp(task, [4], 1)  # phases 2π i / 23
    part = {
        **whole,
        names.MLP_W_IN: whole[names.MLP_W_IN][:, chosen],
        "b_in": whole["b_in"][chosen],
        names.MLP_W_U: whole[names.MLP_W_U][chosen],
    }
    found = phases.spread(network(part, task))
    if len(chosen) < phases.CLUSTER:
        assert found == {}
        return
    phi, n = 2 * math.pi / 23 * torch.tensor(chosen).double(), len(chosen)
    assert list(found) == [4]
    assert found[4].n == n
    torch.testing.assert_close((found[4].phases - phi).cos(), torch.ones(n).double(), atol=1e-9, rtol=0)
    assert found[4].first == pytest.approx(float(torch.exp(1j * phi).mean().abs()), abs=1e-9)
    assert found[4].folded == pytest.approx(float(torch.exp(1j * n * phi).mean().abs()), abs=1e-9)


def test_phases_at_equal_distances_balance_and_fold_into_one():
    task = Task(23)
    found = phases.spread(network(analytic.mlp(task, [4], 1), task))[4]
    assert found.first == pytest.approx(0, abs=1e-9)
    assert found.folded == pytest.approx(1)


def test_resultant_is_weighted():
    assert phases.resultant(torch.tensor([0.0, math.pi]), torch.tensor([3.0, 1.0])) == pytest.approx(1 / 2)
    assert phases.resultant(torch.zeros(0), torch.zeros(0)) == 0
