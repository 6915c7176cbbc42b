"""What is left of the answer of networks written down, where their neurons are replaced."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.fourier.basis import pair_powers
from grok.measure import activations, losses, neurons
from grok.models import analytic
from grok.models.architectures import network
from grok.models.quadratic import gromov
from grok.task import Task

SHAPES = ((analytic.mlp, "add_mod"), (analytic.transformer, "add_mod"), (analytic.transformer, "sub_mod"))


@st.composite
def cases(draw, n_thresholds=1):
    """(network, K): with one threshold its neurons are ReLU(cos(w a + φ) + cos(± w b + φ)) for p phases of each k."""
    p = draw(st.sampled_from([11, 13, 17, 23]))
    keys = tuple(sorted(draw(st.sets(st.integers(1, (p - 1) // 2), min_size=1, max_size=3))))
    build, operation = draw(st.sampled_from(SHAPES))
    task = Task(p, operation)
    return network(build(task, keys, n_thresholds), task), keys


def formula(model, keys, alpha=1.0):
    s, c = model.labels[:, None].double(), torch.arange(model.task.p).double()
    return alpha * sum((2 * math.pi * k / model.task.p * (s - c)).cos() for k in keys)


@settings(max_examples=12, deadline=None)
@given(cases())
def test_as_polynomials_the_analytic_network_is_the_formula_with_its_mean_amplitude(case):
    model, keys = case
    found = activations.as_polynomials(model)
    mean = analytic.amplitudes(model.task.p, 1).mean()
    assert found.replaced == model.U.shape[0]
    assert found.answer.loss == pytest.approx(losses.mean_loss(formula(model, keys, mean), model.labels), rel=1e-9)
    assert found.whole.loss == pytest.approx(losses.mean_loss(model.logits, model.labels), rel=1e-9)


def test_neurons_of_no_single_frequency_stay():
    model = gromov(Task(11), 40)
    found = activations.as_polynomials(model)  # 0.8 of their variance is on one k
    assert found.replaced == 0
    assert found.answer == found.whole


@settings(max_examples=12, deadline=None)
@given(cases())
def test_key_subspace_is_all_of_the_analytic_network(case):
    model, keys = case
    found = activations.key_subspace(model)
    assert found.rank == 2 * len(keys)
    assert found.kept.loss == pytest.approx(activations.whole(model).loss, rel=1e-9)
    assert found.removed.loss == pytest.approx(math.log(model.task.p), rel=1e-9)


def test_key_subspace_is_the_projection_written_out():
    task, keys = Task(13), (2, 5)
    weights = analytic.mlp(task, keys, 1)
    generator = torch.Generator().manual_seed(0)
    noisy = {n: w + 0.02 * torch.randn(w.shape, generator=generator, dtype=torch.float64) for n, w in weights.items()}
    model = network(noisy, task)
    assert model.key_frequencies == keys
    c = torch.arange(13).double()
    waves = [f(2 * math.pi * k / 13 * c) for k in keys for f in (torch.cos, torch.sin)]
    D = model.U @ torch.stack(waves, dim=1)
    inside = model.post @ D @ torch.linalg.inv(D.T @ D) @ D.T
    found = activations.key_subspace(model)
    assert found.kept.loss == pytest.approx(losses.mean_loss(model.logits_from(inside), model.labels))
    assert found.removed.loss == pytest.approx(losses.mean_loss(model.logits_from(model.post - inside), model.labels))


@settings(max_examples=12, deadline=None)
@given(cases())
def test_the_answer_is_in_the_even_part_of_the_relu(case):
    model, _ = case
    doubled = losses.mean_loss(2 * model.logits, model.labels)  # relu(x) = (|x| + x) / 2, and x writes nothing
    assert activations.with_activation(model, "|x|").loss == pytest.approx(doubled, rel=1e-9)
    for odd in ("x", "x³"):
        assert activations.with_activation(model, odd).loss == pytest.approx(math.log(model.task.p), rel=1e-9)


def test_the_other_even_activations_are_what_their_names_say():
    model = gromov(Task(11), 40)
    assert activations.with_activation(model, "x²") == activations.whole(model)
    fourth = losses.mean_loss(model.logits_from(model.pre**4), model.labels)
    assert activations.with_activation(model, "x⁴").loss == pytest.approx(fourth)


@settings(max_examples=15, deadline=None)
@given(
    p=st.sampled_from([11, 13]),
    sign=st.sampled_from([1, -1]),
    k=st.integers(1, 5),
    parts=st.lists(st.floats(0.1, 2), min_size=3, max_size=3),
    phases=st.lists(st.floats(0, 6), min_size=3, max_size=3),
)
def test_share_of_the_other_combination(p, sign, k, parts, phases):
    a, b = (2 * math.pi * k / p * x for x in Task(p).pairs().double().unbind(1))
    linear, answer, other = (
        r * torch.cos(x + phi) for r, x, phi in zip(parts, (b, a + sign * b, a - sign * b), phases, strict=True)
    )
    post = torch.stack([linear + answer + other + 2] * 2, dim=1)
    found = neurons.frequencies(pair_powers(post, p))
    share = neurons.other_share(post, found, p, sign)
    assert share.n == 2
    assert share.median == pytest.approx(parts[2] ** 2 / sum(x**2 for x in parts))


def test_a_relu_of_one_frequency_has_as_much_in_the_difference_as_in_the_sum():
    task = Task(113)
    a, b = (2 * math.pi * 5 / 113 * x for x in task.pairs().double().unbind(1))
    post = torch.stack([((a + phi).cos() + (b + phi).cos()).relu() for phi in (0.1, 0.9, 2.3)], dim=1)
    found = neurons.frequencies(pair_powers(post, 113))
    shares = [neurons.other_share(post, found, 113, sign).median for sign in (1, -1)]
    assert shares == pytest.approx([0.113, 0.113], abs=0.002)


def test_without_single_frequency_neurons_the_other_share_is_one():
    model = gromov(Task(11), 40)
    found = neurons.frequencies(model.spectrum.post_powers)
    share = neurons.other_share(model.post, found, 11)
    assert (share.median, share.n) == (1.0, 0)
