"""The bounds of the certificate hold in any order of additions.

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
from networks import TASK, small, with_biases
from orders import ORDERS, Order
from torch import Tensor

from grok.measure import bounds, rounding
from grok.models import names
from grok.models.architectures import ARCHITECTURES, network
from grok.models.matrices import initial
from grok.models.names import Weights
from grok.models.network import Network

FIXTURES = Path(__file__).parents[2] / "fixtures"
SEEDS = st.integers(0, 2**32 - 1)


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
