"""The certificate: it certifies what is right with room, and nothing else."""

from pathlib import Path

import orders
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import TASK, small, with_biases
from orders import ORDERS

from grok.errors import NotEvaluable
from grok.measure import certificate
from grok.models import analytic, names, quadratic, rivals
from grok.models.architectures import ARCHITECTURES, network
from grok.models.matrices import initial
from grok.models.network import Network
from grok.store.fixture import load_fixture
from grok.task import Task

FIXTURES = Path(__file__).parents[2] / "fixtures"
SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("build", "p", "operation"),
    [
        (analytic.mlp, 11, "add_mod"),
        (analytic.mlp, 23, "add_mod"),
        (analytic.transformer, 13, "add_mod"),
        (analytic.transformer, 11, "sub_mod"),
    ],
)
def test_networks_written_down_are_certified(build, p: int, operation):
    task = Task(p, operation)
    found = certificate.certify(network(build(task, [1, 2, 4], 2), task))
    assert found.certified
    assert (found.pairs, found.right, found.wrong) == (p * p, p * p, 0)
    assert 2 < found.ratio == found.margin / found.bound


def written(architecture: str) -> Network:
    """A network of this architecture that is right on every pair, by a formula."""
    if architecture == "quadratic":
        return quadratic.gromov(TASK, 400)
    if architecture == "concat":  # the MLP's, with its embedding and its W_in twice
        w = analytic.mlp(TASK, [1, 2, 4], 2)
        both = {names.CONCAT_W_X: w[names.MLP_W_E], names.CONCAT_W_Y: w[names.MLP_W_E]}
        return network(both | {names.CONCAT_W: w[names.MLP_W_IN].repeat(2, 1), names.CONCAT_W_U: w["W_U"]}, TASK)
    return network(rivals.hide(rivals.fit(rivals.pizza(TASK, [1, 2, 4], 40), small(architecture)), 0), TASK)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_that_is_right_is_certified_and_others_are_not(architecture: str):
    """It is right by every order of additions that is tried. Refused are untrained weights, and two classes swapped."""
    right = written(architecture)
    single = {name: w.float() for name, w in right.weights.items()}
    found = certificate.certify(right)
    assert found.certified
    answers = [orders.EVALUATE[architecture](single, TASK.pairs(), order).argmax(1) for order in ORDERS]
    assert all(torch.equal(answer, right.labels) for answer in answers)
    untrained = certificate.certify(network(initial(small(architecture)), TASK))
    assert not untrained.certified
    assert untrained.margin < 0 < untrained.wrong
    readout = ARCHITECTURES[architecture].unembedding
    swapped = certificate.certify(network(single | {readout: single[readout][:, [1, 0, *range(2, 11)]]}, TASK))
    assert (swapped.right, swapped.wrong) == (9 * 11, 2 * 11)  # two classes read in each other's place


def test_a_shipped_network_is_certified_and_what_only_memorised_is_not():
    fixture = load_fixture(FIXTURES / "add-transformer" / "seed999")
    found = certificate.certify(fixture.network())
    assert found.certified
    memorised = certificate.certify(fixture.network("memorised"))
    assert memorised.wrong > 0
    assert str(memorised).endswith(f"the worst at (a, b) = {memorised.pair}")


def test_one_wrong_answer_is_found_and_named():
    model = network(analytic.mlp(TASK, [1, 2, 4], 2), TASK)
    model.labels[5 * 11 + 7] = 0
    found = certificate.certify(model)
    assert (found.pair, found.wrong, found.right) == ((5, 7), 1, 120)
    assert str(found).endswith("1 wrong, the worst at (a, b) = (5, 7)")


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch):
    model = network(with_biases(initial(small("transformer")), 1), TASK)
    whole = certificate.certify(model)
    monkeypatch.setattr(certificate, "BLOCK", 25)
    parts = certificate.certify(model)
    assert (parts.pair, parts.right, parts.wrong) == (whole.pair, whole.right, whole.wrong)
    assert (parts.margin, parts.bound) == pytest.approx((whole.margin, whole.bound), rel=1e-9)


def test_what_cannot_be_bounded_is_not_evaluated():
    weights = analytic.mlp(TASK, [1], 1)
    with pytest.raises(NotEvaluable, match="weight is too large"):
        certificate.certify(network(weights | {"b_U": torch.full((11,), 1e39, dtype=torch.float64)}, TASK))
    with pytest.raises(NotEvaluable, match="activation may be too large"):
        certificate.certify(network(weights | {names.MLP_W_U: weights[names.MLP_W_U] * 1e38}, TASK))


# ── invariances ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("architecture", "readout"), [("mlp", names.MLP_W_U), ("transformer", names.W_U)])
@settings(deadline=None, max_examples=8)
@given(seed=SEEDS, power=st.integers(-10, 10))
def test_margin_and_bound_scale_with_the_logits(architecture: str, readout: str, seed: int, power: int):
    weights = initial(small(architecture, seed % 2**31))
    one = certificate.certify(network(weights, TASK))
    other = certificate.certify(network(weights | {readout: weights[readout] * 2.0**power}, TASK))
    assert other.margin == pytest.approx(one.margin * 2.0**power, rel=1e-12)
    assert other.bound == pytest.approx(one.bound * 2.0**power, rel=1e-12)
    assert (other.pair, other.right, other.wrong) == (one.pair, one.right, one.wrong)


@settings(deadline=None, max_examples=8)
@given(seed=SEEDS)
def test_the_order_of_neurons_changes_nothing_beyond_rounding(seed: int):
    weights = initial(small("transformer", seed % 2**31))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    turned = weights | {names.W_IN: weights[names.W_IN][:, order], names.W_OUT: weights[names.W_OUT][order]}
    one, other = (certificate.certify(network(w, TASK)) for w in (weights, turned))
    assert (other.margin, other.bound) == pytest.approx((one.margin, one.bound), rel=1e-9)
