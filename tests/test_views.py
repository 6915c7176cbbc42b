"""What is drawn, on networks that are written down, so that the right picture is known."""

import math

import pytest
import torch

from grok import views
from grok.measure import losses, neurons, spectrum
from grok.models import analytic
from grok.models.architectures import network
from grok.task import Task

P, KEYS = 13, (2, 5)
TASK = Task(P)


@pytest.fixture(scope="module")
def model():
    """The formula Σ_K cos w_k(a + b - c), exactly."""
    return network(analytic.mlp(TASK, KEYS), TASK, TASK.split(0, 0.5))


def test_a_token_stands_at_its_angle_on_each_circle():
    angles = 2 * math.pi / P * torch.outer(torch.tensor(KEYS), torch.arange(P)).double()
    matrix = torch.stack([3 * angles[0].cos(), 3 * angles[0].sin(), angles[1].cos(), angles[1].sin()], dim=1)
    found = views.circles(matrix, KEYS)
    assert found.pop("labels") == [*"0123456789", "", "", ""]
    for (name, points), angle, radius in zip(found.items(), angles, (3, 1), strict=True):
        expected = radius * torch.stack([angle.cos(), angle.sin()], dim=1)
        torch.testing.assert_close(points, expected, atol=1e-9, rtol=0, msg=name)


def test_the_formula_is_drawn_beside_the_network_that_is_the_formula(model):
    r = 2 * math.pi / P * (torch.arange(P)[:, None] - torch.arange(P)).double()
    formula = sum(torch.cos(k * r) for k in KEYS)
    found = views.network_and_formula(model, formula)
    torch.testing.assert_close(found["network"], found["formula"])
    assert found["network"].diagonal().tolist() == [100] * P
    line = views.by_offset(model.labels, network=model.logits)
    assert line["x"] == list(range(-6, 7))
    torch.testing.assert_close(line["network"], formula[0].roll(6), atol=1e-9, rtol=0)


def test_reading_the_sine_gives_the_sine_of_the_sum(model):
    read, sine = views.reading(model).values()
    torch.testing.assert_close(read, sine, atol=1, rtol=0)  # per cent: rounding of either


def test_neurons_are_sorted_by_their_best_frequency():
    model = network(analytic.mlp(TASK, KEYS, 1), TASK, None)
    found = neurons.frequencies(model.spectrum.post_powers)
    rows = views.by_cluster(views.shares_by_frequency(model.spectrum.post_powers), found)
    assert (rows.argmax(1) + 1).tolist() == [KEYS[0]] * P + [KEYS[1]] * P  # a neuron for each phase
    torch.testing.assert_close(views.row_shares(model.U).sum(1), torch.ones(len(model.U)).double())
    assert sorted(int(found.best[i]) for i in views.examples(found, model.spectrum.post_powers)) == list(KEYS)


def test_losses_without_and_with_single_frequencies_are_the_measures(model):
    alone = views.excluded_by_frequency(model)
    cut = losses.Ablation.of(model)
    assert alone["key frequencies"][4] == pytest.approx(math.log10(cut.excluded_loss((5,), model.train)))
    assert alone["other frequencies"][4] is None
    assert alone["line"] == pytest.approx(math.log10(losses.excluded(model).loss))
    growing = views.restricted_by_number(model)
    assert growing["x"] == [1, 2]
    assert growing["restricted loss"][-1] == pytest.approx(losses.restricted(model).loss)
    assert views.log10(0.0) == -20


def test_kinds_of_terms_are_the_shares(model):
    powers = model.spectrum.post_powers
    linear, quadratic, other = spectrum.kinds(powers)
    assert (linear, quadratic) == (spectrum.linear_share(powers), spectrum.quadratic_share(powers))
    assert linear + quadratic + other == pytest.approx(1)
    on = spectrum.quadratic_shares(powers)
    assert float(on[[k - 1 for k in KEYS]].sum()) == pytest.approx(spectrum.quadratic_share(powers, KEYS))


@pytest.mark.parametrize(("n", "kept"), [(0, 0), (3, 3), (128, 128), (129, 65), (512, 128)])
def test_no_more_rows_than_a_plot_holds(n, kept):
    assert len(views.thinned(list(range(n)), 128)) == kept
