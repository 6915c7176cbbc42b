"""The p × p algebra against the cube written out, at small p."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.measure import logits, losses
from grok.task import Task

SMALL = st.sampled_from([5, 7, 13])
OPERATIONS = st.sampled_from(["add_mod", "sub_mod"])
SEEDS = st.integers(0, 2**32 - 1)


def random_logits(task: Task, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(task.p**2, task.p, generator=generator, dtype=torch.float64)


def cube(task: Task, k: int) -> torch.Tensor:
    """cos w_k(a ± b - c), written out: [p², p]."""
    a, b = task.pairs().unbind(1)
    c = torch.arange(task.p)
    return torch.cos(2 * math.pi * k / task.p * ((a + task.sign * b)[:, None] - c).double())


@settings(max_examples=20, deadline=None)
@given(p=SMALL, operation=OPERATIONS, seed=SEEDS)
def test_similarities_are_those_with_the_cubes(p, operation, seed):
    task = Task(p, operation)
    values = random_logits(task, seed)
    expected = []
    for k in range(1, (p + 1) // 2):
        wave = cube(task, k)
        expected.append(float((values * wave).sum() / wave.norm() / values.norm()))
    assert logits.cosine_similarities(values, task.labels()).tolist() == pytest.approx(expected, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(operation=OPERATIONS, seed=SEEDS, keys=st.sets(st.integers(1, 6), min_size=1, max_size=4).map(sorted))
def test_formula_is_the_least_squares_fit_of_the_cubes(operation, seed, keys):
    task = Task(13, operation)
    values, labels = random_logits(task, seed), task.labels()
    cubes = torch.stack([cube(task, k).flatten() for k in keys], dim=1)
    alpha = torch.linalg.lstsq(cubes, values.flatten()[:, None], driver="gelsd").solution
    fitted = (cubes @ alpha).view_as(values)
    found = logits.formula(values, labels, keys)
    torch.testing.assert_close(found.alpha, alpha[:, 0])
    torch.testing.assert_close(found.table[labels], fitted)
    assert found.rest == pytest.approx(float((values - fitted).norm() / values.norm()), abs=1e-9)
    centred = values - values.mean(1, keepdim=True)
    assert found.fve == pytest.approx(1 - float((centred - fitted).square().sum() / centred.square().sum()), abs=1e-9)
    on_pairs = losses.mean_loss(found.table[labels], labels)
    assert losses.mean_loss(found.table, torch.arange(13)) == pytest.approx(on_pairs, rel=1e-12)


@settings(max_examples=10, deadline=None)
@given(operation=OPERATIONS, seed=SEEDS)
def test_mean_by_offset_is_the_mean_over_the_pairs_written_out(operation, seed):
    task = Task(7, operation)
    values, labels = random_logits(task, seed), task.labels().tolist()
    by_r = torch.stack([sum(row[(s - r) % 7] for row, s in zip(values, labels, strict=True)) / 49 for r in range(7)])
    torch.testing.assert_close(logits.mean_by_offset(values, task.labels()), by_r - by_r.mean())


def test_a_constant_per_pair_changes_the_uncentred_share_only():
    task = Task(13)
    values = random_logits(task, 0)
    shifted = values + 10 * torch.arange(169)[:, None] / 169
    before, after = (logits.formula(x, task.labels(), (2, 3)) for x in (values, shifted))
    assert after.fve == pytest.approx(before.fve, rel=1e-9)
    assert after.fve_uncentred < 0.5 * before.fve_uncentred


def test_gaussian_cubes_align_as_chance_does_and_from_a_fixed_seed():
    values = random_logits(Task(13), 3)
    draws = logits.gaussian_alignments(values, draws=200)
    assert draws.tolist() == logits.gaussian_alignments(values, draws=200).tolist()
    assert 13**1.5 * float(draws.std()) == pytest.approx(1, abs=0.2)
    own = torch.Generator().manual_seed(0)
    itself = torch.randn(values.shape, generator=own)
    assert float(logits.gaussian_alignments(itself.double(), draws=1)) == pytest.approx(1, abs=1e-6)
