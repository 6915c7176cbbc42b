"""Restricted and excluded loss against the projection of ``post`` written out."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.errors import NotEvaluable
from grok.measure import controls, losses
from grok.models import analytic
from grok.models.architectures import network
from grok.task import Task

P = 7


def projected(post: torch.Tensor, task: Task, keys) -> torch.Tensor:
    """post on cos w_k s and sin w_k s, one unit vector over pairs after the other."""
    a, b = task.pairs().unbind(1)
    kept = torch.zeros_like(post)
    for k in keys:
        for wave in (torch.cos, torch.sin):
            direction = wave(2 * math.pi * k / task.p * (a + task.sign * b).double())
            direction = direction / direction.norm()
            kept += torch.outer(direction, direction @ post)
    return kept


@settings(max_examples=20, deadline=None)
@given(
    operation=st.sampled_from(["add_mod", "sub_mod"]),
    seed=st.integers(0, 2**32 - 1),
    keys=st.sets(st.integers(1, 3), min_size=1).map(sorted),
)
def test_ablations_are_projections_of_the_neurons(operation, seed, keys):
    task = Task(P, operation)
    g = torch.Generator().manual_seed(seed)
    post, U, skip = (torch.randn(*s, generator=g, dtype=torch.float64) for s in ((P * P, 9), (9, P), (P * P, P)))
    pairs, labels = torch.randperm(P * P, generator=g)[:20], task.labels()
    cut = losses.Ablation(post @ U + skip, skip, labels)
    kept = projected(post, task, keys)

    def loss(logits):
        return torch.nn.functional.cross_entropy(logits[pairs], labels[pairs]).item()

    assert cut.excluded_loss(keys, pairs) == pytest.approx(loss((post - kept) @ U + skip), rel=1e-9)
    restricted = (post.mean(0) + kept) @ U + skip
    assert cut.restricted_loss(keys, pairs) == pytest.approx(loss(restricted), rel=1e-9)
    # Source S: what is left of the neurons alone, then the mean logits put back.
    bare = kept @ U
    bare = bare + (post @ U + skip).mean(0) - bare.mean(0)
    assert cut.restricted_loss(keys, pairs, skip=False) == pytest.approx(loss(bare), rel=1e-9)
    torch.testing.assert_close(cut.restricted(keys).mean(0), cut.logits.mean(0))


def test_random_controls_are_as_many_frequencies_outside_the_key_ones():
    keys = (1, 5, 34, 42)
    draws = controls.random_frequencies(keys, 56)
    assert draws == controls.random_frequencies(keys, 56)
    assert len(draws) == 20
    assert len(set(draws)) > 15
    for drawn in draws:
        assert len(set(drawn)) == len(keys)
        assert set(drawn) <= set(range(1, 57)) - set(keys)


def test_random_controls_need_enough_other_frequencies():
    with pytest.raises(NotEvaluable, match="too few"):
        controls.random_frequencies((1, 2), 3)


def test_controls_of_an_ablation_are_its_losses_at_those_draws():
    task = Task(13)
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(169, 13, generator=g, dtype=torch.float64)
    cut = losses.Ablation(logits, logits.new_zeros(1, 13), task.labels())
    pairs = torch.arange(50)
    draws = controls.random_frequencies((2, 3), 6)
    assert cut.excluded_controls((2, 3), pairs) == [cut.excluded_loss(k, pairs) for k in draws]
    assert cut.restricted_controls((2, 3), pairs) == [cut.restricted_loss(k, pairs) for k in draws]
    assert cut.excluded_controls((2, 3), pairs) != cut.restricted_controls((2, 3), pairs)


def test_loss_and_accuracy_over_chosen_pairs():
    logits = torch.tensor([[0.0, 0.0], [50.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 0])
    assert losses.mean_loss(logits, labels, torch.tensor([0])) == pytest.approx(math.log(2))
    assert losses.mean_loss(logits, labels, torch.tensor([1])) == pytest.approx(math.exp(-50), rel=1e-9)
    assert losses.accuracy(logits, labels, torch.tensor([1, 2])) == 0.5
    assert losses.accuracy(logits, labels) == pytest.approx(2 / 3)


@settings(max_examples=10, deadline=None)
@given(p=st.sampled_from([11, 13]), data=st.data())
def test_single_frequencies_are_excluded_one_by_one(p, data):
    """The logits of the analytic network are Σ_K cos w_k(s - c), so without k they are the sum without its term."""
    keys = tuple(sorted(data.draw(st.sets(st.integers(1, (p - 1) // 2), min_size=1, max_size=3))))
    task, pairs = Task(p), torch.arange(p * p)
    model = network(analytic.mlp(task, keys), task)
    s, c = model.labels[:, None].double(), torch.arange(p).double()
    terms = {k: (2 * math.pi * k / p * (s - c)).cos() for k in keys}
    found = losses.excluded_each(model, pairs)
    whole = losses.mean_loss(sum(terms.values()), model.labels)
    assert found.loss == pytest.approx(whole, abs=1e-9)
    assert found.keys == pytest.approx(
        {k: losses.mean_loss(sum(terms.values()) - terms[k], model.labels) for k in keys}, abs=1e-9
    )
    assert found.others == pytest.approx(dict.fromkeys(found.others, whole), abs=1e-9)
    assert set(found.others) == set(range(1, (p + 1) // 2)) - set(keys)
    assert found.greatest_other == max(found.others.values())
    with pytest.raises(NotEvaluable, match="frequencies are key"):
        _ = replace(found, others={}).greatest_other


def test_other_frequencies_are_evenly_spaced_outside_of_K():
    assert controls.other_frequencies((1, 2), 18, 4) == (3, 7, 11, 15)
    assert controls.other_frequencies((2, 4), 5) == (1, 3, 5)
    assert controls.other_frequencies(range(1, 6), 5) == ()
