"""The certificate: it certifies what is right with room, and its bound holds in any order of additions.

A bound from which one term is missing is exceeded: so the orders tried here can tell a wrong bound from a right one.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orders
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from orders import ORDERS, Order
from torch import Tensor

from grok.errors import NotEvaluable
from grok.measure import bounds, certificate, rounding
from grok.models import analytic, names, quadratic, rivals
from grok.models.architectures import ARCHITECTURES, network
from grok.models.matrices import initial
from grok.models.names import Weights
from grok.models.network import Network
from grok.recipe import Recipe, get_recipe
from grok.store.fixture import load_fixture
from grok.task import Task

FIXTURES = Path(__file__).parents[2] / "fixtures"
TASK = Task(11)
SEEDS = st.integers(0, 2**32 - 1)


def small(architecture: str, seed: int = 0) -> Recipe:
    like = get_recipe("modadd-transformer")
    return replace(like, architecture=architecture, task=TASK, seed=seed, d_model=24, n_heads=2, d_head=6, d_mlp=40)


def with_biases(weights: Weights, seed: int) -> Weights:
    """Every bias that a checkpoint may have, and for the MLP an embedding of its own for b."""
    g = torch.Generator().manual_seed(seed)
    architecture = network(weights, TASK).architecture
    if architecture in ("concat", "quadratic"):
        return weights  # they have none
    if architecture.startswith("pizza"):
        shapes = {name: tuple(weights[name].shape) for name in (names.B_IN, names.B_OUT)}
    elif names.MLP_W_E in weights:
        (n, d), (m, c) = weights[names.MLP_W_E].shape, weights[names.MLP_W_U].shape
        shapes = {"W_E_b": (n, d), "b_in": (m,), "b_U": (c,)}
    else:
        (h, d, k), (m, _), c = weights[names.W_Q].shape, weights[names.W_OUT].shape, weights[names.W_U].shape[1]
        shapes = {f"blocks.0.attn.b_{x}": (h, k) for x in "QKV"} | {"blocks.0.attn.b_O": (d,), "unembed.b_U": (c,)}
        shapes |= {"blocks.0.mlp.b_in": (m,), "blocks.0.mlp.b_out": (d,)}
    return weights | {name: torch.randn(shape, generator=g) for name, shape in shapes.items()}


# ── no order of additions is beyond the bound ─────────────────────────────────────────────────────────────────────────


def worst(weights: Weights, tried: list[Order] = ORDERS, bounds: Callable[..., Tensor] = bounds.logit_bounds) -> float:
    """The greatest error of a float32 evaluation over its bound, over all pairs, classes and orders."""
    model = network(weights, TASK)
    bound = bounds(model)
    found = (orders.EVALUATE[model.architecture](weights, TASK.pairs(), order).double() for order in tried)
    return max(float(((logits - model.logits).abs() / bound).max()) for logits in found)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@settings(deadline=None, max_examples=5)
@given(seed=SEEDS, size=st.sampled_from([1.0, 3.0]))
def test_no_order_of_additions_is_beyond_the_bound(architecture: str, seed: int, size: float):
    weights = {name: size * w for name, w in initial(small(architecture, seed % 2**31)).items()}
    assert 0 < worst(weights) <= 1
    assert 0 < worst(with_biases(weights, seed)) <= 1


def closer(model: Network) -> Tensor:
    return bounds.closer_bounds(model, torch.ones(len(model.labels), dtype=torch.bool))


@pytest.mark.parametrize("architecture", ["transformer", "pizza-a", "pizza-b"])
@settings(deadline=None, max_examples=5)
@given(seed=SEEDS, size=st.sampled_from([1.0, 3.0]))
def test_no_order_of_additions_is_beyond_the_closer_bound(architecture: str, seed: int, size: float):
    weights = {name: size * w for name, w in initial(small(architecture, seed % 2**31)).items()}
    for tried in (weights, with_biases(weights, seed)):
        model = network(tried, TASK)
        assert 0 < worst(tried, bounds=closer) <= 1
        assert float((closer(model) / bounds.logit_bounds(model)).max()) < 1


def test_the_closer_bound_knows_that_a_neuron_may_be_on_or_off():
    """One neuron reads what the lossy scores are lost in, less its exact value: rounding decides whether it is on."""
    weights = lossy_scores()
    at = float(network(weights, TASK).resid_mid[0, 3])
    for name in (names.W_IN, names.W_OUT, names.W_U):
        weights[name].zero_()
    weights[names.W_IN][3, 0] = weights[names.W_OUT][0, 2] = 1
    weights[names.W_U][2, :] = 1
    weights["blocks.0.mlp.b_in"] = torch.tensor([-at])
    assert 0 < worst(weights, ONE_BY_ONE, closer) <= 1


# ── without one term the bound is too small ──────────────────────────────────────────────────────────────────────

LARGE, MANY = 2.0**24, 256  # 1 is half of what float32 can tell apart at 2²⁴: added one by one, the ones are lost
ONE_BY_ONE = [Order(seed, "one by one") for seed in range(16)]


def lossy_readout() -> Weights:
    """Neurons of 2²⁴, 1, 1, …: what is lost is lost in the last product."""
    w_in = torch.ones(1, MANY)
    w_in[0, 0] = LARGE
    return {names.MLP_W_E: torch.full((11, 1), 0.5), names.MLP_W_IN: w_in, names.MLP_W_U: torch.ones(MANY, 11)}


def lossy_neuron() -> Weights:
    """One neuron that sums 2²⁴, 1, 1, …: its error goes through the last product."""
    table = torch.full((11, MANY), 0.5)
    table[:, 0] = LARGE / 2
    return {names.MLP_W_E: table, names.MLP_W_IN: torch.ones(MANY, 1), names.MLP_W_U: torch.ones(1, 11)}


def lossy_halves() -> Weights:
    """One neuron of the MLP with two embeddings side by side: a has 2²⁴, 1, 1, …, and b has 1, 1, …"""
    first, second = torch.ones(2, 11, MANY // 2)
    first[:, 0] = LARGE
    return {names.CONCAT_W_X: first, names.CONCAT_W_Y: second, names.CONCAT_W: torch.ones(MANY, 1)} | {
        names.CONCAT_W_U: torch.ones(1, 11)
    }


def lossy_square() -> Weights:
    """One quadratic neuron: the sum loses b, half of what float32 can tell apart, and its square as much again."""
    a, b = 1 + 2046 * 2.0**-23, 2.0**-24
    return {names.TWO_HOT_A: torch.full((11, 1), a), names.TWO_HOT_B: torch.full((11, 1), b)} | {
        names.TWO_HOT_OUT: torch.ones(1, 11)
    }


def lossy_scores_of_b() -> Weights:
    """The scores of ``lossy_scores``, in a context without ``=``: the query is that of b."""
    w = {name: x for name, x in lossy_scores().items() if name != names.W_POS}
    w |= {names.W_E: torch.tensor([[0.0, 1, 0, 0]]).repeat(11, 1), names.W_POS_AB: torch.zeros(2, 4)}
    w[names.W_POS_AB][0, 2] = 1
    return w | {names.B_IN: torch.zeros(1), names.B_OUT: torch.zeros(4)}


def lossy_scores() -> Weights:
    """Scores q · k with the terms 2¹⁴, 254 of just under 2⁻¹⁰, and -2¹⁴: attention is lost in them alone."""
    d_head, apart = MANY, 4
    recipe = replace(small("transformer"), d_model=apart, n_heads=1, d_head=d_head, d_mlp=1)
    w = {name: torch.zeros_like(x) for name, x in initial(recipe).items()}
    w[names.W_E][:-1, 0], w[names.W_E][-1, 1] = 1, 1
    w[names.W_POS][0, 2] = 1  # a is told from b: only its scores have the terms
    w[names.W_Q][0, 1] = 1
    w[names.W_K][0, 2, :], w[names.W_K][0, 2, 0], w[names.W_K][0, 2, -1] = 0.99 * 2.0**-10, 2.0**14, -(2.0**14)
    w[names.W_V][0, 2, 0] = w[names.W_O][0, 0, 3] = w[names.W_U][3, :] = 1
    return w


@pytest.mark.parametrize(
    ("weights", "n"),
    [
        (lossy_readout(), MANY + 1),
        (lossy_neuron(), MANY + 2),
        (lossy_halves(), MANY),
        (lossy_square(), 1),
        (lossy_scores(), MANY + bounds.SCALE),
        (lossy_scores_of_b(), MANY + bounds.SCALE),
    ],
    ids=["last product", "neurons", "two embeddings", "square", "scores", "scores of the pizza"],
)
def test_a_bound_without_one_term_is_exceeded(weights: Weights, n: int, monkeypatch: pytest.MonkeyPatch):
    """γ of the stage with n roundings is left out, and with it what the stage propagates."""
    assert worst(weights, ONE_BY_ONE) <= 1
    gamma = rounding.gamma
    for module in (rounding, bounds):
        monkeypatch.setattr(module, "gamma", lambda length: 0.0 if length == n else gamma(length))
    assert worst(weights, ONE_BY_ONE) > 1


def test_the_softmax_of_float32_is_as_accurate_as_is_said():
    """Two ulp for the exponential, and the rest of its bound: on scores without an error."""
    g = torch.Generator().manual_seed(0)
    scores = torch.randn(100_000, 3, generator=g) * torch.logspace(-3, 1.5, 100_000)[:, None]
    exact = scores.double().softmax(-1)
    bound = rounding.softmax_error(rounding.Rounded(scores.double(), torch.zeros_like(exact)), exact)
    assert bool(((scores.softmax(-1).double() - exact).abs() <= bound).all())


# ── what is certified ────────────────────────────────────────────────────────────────────────────────────────────


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
