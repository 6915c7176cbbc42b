"""The positive control: weights with a known answer, and measures that must return it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from grok.fourier.basis import basis, pair_powers, powers, spectrum_2d
from grok.measure import embedding, logits, losses, neurons, spectrum
from grok.models import analytic
from grok.models.architectures import network
from grok.models.hooked import definition
from grok.models.names import Weights
from grok.models.network import Network
from grok.task import Task

EXACT = 1e-10  # float64 rounding of the construction; the models add numbers up to 2,000 that cancel to 1
SHAPES = ((analytic.mlp, "add_mod"), (analytic.transformer, "add_mod"), (analytic.transformer, "sub_mod"))


ANY = st.none() | st.integers(1, 3)


@st.composite
def cases(draw, n_thresholds=ANY):
    """(weights, task, K, number of thresholds). One frequency at least is not in K, or nothing would stand out."""
    p = draw(st.sampled_from([7, 11, 13, 17, 23]))
    keys = draw(st.sets(st.integers(1, (p - 1) // 2), min_size=1, max_size=min((p - 3) // 2, 4)))
    build, operation = draw(st.sampled_from(SHAPES))
    task, n = Task(p, operation), draw(n_thresholds)
    return build(task, sorted(keys), n), task, tuple(sorted(keys)), n


def _formula(task: Task, keys: tuple[int, ...]) -> Tensor:
    s, c = task.labels()[:, None].double(), torch.arange(task.p).double()
    return sum((2 * math.pi * k / task.p * (s - c)).cos() for k in keys)  # type: ignore[return-value]


@settings(deadline=None, max_examples=30)
@given(cases(n_thresholds=st.none()))
def test_the_logits_are_the_formula(case):
    weights, task, keys, _ = case
    torch.testing.assert_close(network(weights, task).logits, _formula(task, keys), atol=EXACT, rtol=0)


@pytest.mark.parametrize(("build", "operation"), SHAPES)
def test_the_logits_are_the_formula_at_p_59(build, operation):
    task = Task(59, operation)
    torch.testing.assert_close(network(build(task, [7]), task).logits, _formula(task, (7,)), atol=EXACT, rtol=0)


@settings(deadline=None, max_examples=30)
@given(cases())
def test_measures_return_what_was_built_in(case):
    weights, task, keys, n = case
    net, p = network(weights, task), task.p
    assert net.key_frequencies == keys
    assert neurons.key_norm_ratio(net.U, keys) == pytest.approx(1, abs=EXACT)
    assert embedding.power_on(net.W_E, keys) == pytest.approx(1, abs=EXACT)
    assert embedding.strongest(net.W_E, len(keys)) == keys
    assert spectrum.linear_share(pair_powers(net.pre, p)) == pytest.approx(1, abs=EXACT)
    assert logits.formula(net.logits, net.labels, keys).fve == pytest.approx(analytic.explained(p, n), abs=EXACT)
    ablation = losses.Ablation(net.logits, net.skip_logits, net.labels)
    everything = torch.arange(p * p)
    if n is None:
        loss = losses.mean_loss(net.logits, net.labels)
        assert spectrum.quadratic_share(pair_powers(net.logits, p), keys) == pytest.approx(1, abs=EXACT)
        assert logits.formula(net.logits, net.labels, keys).alpha.tolist() == pytest.approx([1] * len(keys), abs=EXACT)
        assert ablation.restricted_loss(keys, everything) == pytest.approx(loss, abs=EXACT)
        assert ablation.excluded_loss(keys, everything) == pytest.approx(math.log(p), abs=EXACT)
        fves = neurons.projection_fves(net.post, net.U, keys)
        assert len(fves) == 2 * len(keys)
        assert fves == pytest.approx(dict.fromkeys(fves, 1), abs=EXACT)


@settings(deadline=None, max_examples=15)
@given(cases(n_thresholds=st.just(1)))
def test_every_neuron_follows_a_key_frequency(case):
    """With one threshold; a neuron that fires on a few pairs only has no frequency of its own."""
    weights, task, keys, _ = case
    net = network(weights, task)
    found = neurons.frequencies(pair_powers(net.post, task.p))
    assert found.share_in(keys) == 1
    assert found.single_share == 1
    assert neurons.cluster_purities(net.U, found, keys) == pytest.approx(dict.fromkeys(keys, 1), abs=EXACT)


def test_a_few_thresholds_explain_what_the_documentation_says():
    assert analytic.explained(113, 1) == pytest.approx(8 / math.pi**2, abs=1e-4)
    assert analytic.explained(113, 4) == pytest.approx(0.997, abs=5e-4)
    assert analytic.explained(113) == pytest.approx(1, abs=EXACT)


@pytest.mark.parametrize(("build", "operation"), SHAPES)
def test_the_definition_computes_the_same(build, operation):
    task = Task(11, operation)
    model = definition.hooked(build(task, [2, 5]), task)
    torch.testing.assert_close(definition.logits(model, task).detach(), _formula(task, (2, 5)), atol=EXACT, rtol=0)


def test_attention_is_equal_for_addition_and_split_for_subtraction():
    add, sub = (network(analytic.transformer(Task(7, op), [2]), Task(7, op)) for op in ("add_mod", "sub_mod"))
    halves, apart = torch.tensor([0.5, 0.5, 0]).double(), torch.tensor([[1.0, 0, 0], [0, 1, 0]]).double()
    torch.testing.assert_close(add.pattern, halves.expand(49, 2, 3), atol=EXACT, rtol=0)
    torch.testing.assert_close(sub.pattern, apart.expand(49, 2, 3), atol=EXACT, rtol=0)


# ── noise of a known size ────────────────────────────────────────────────────────────────────────────────────────


def _off(shape: tuple[int, ...], p: int, keys: tuple[int, ...], seed: int, size: float) -> Tensor:
    """Gaussian noise of norm ``size`` over tokens (first axis), with nothing on the frequencies in K."""
    rows = basis(p)[[row for k in keys for row in (2 * k - 1, 2 * k)]]
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    noise = noise - (rows.T @ (rows @ noise.flatten(1))).view(shape)
    return noise * size / noise.norm()


@settings(deadline=None, max_examples=20)
@given(cases(), st.floats(0.01, 0.3), st.integers(0, 2**32 - 1))
def test_noise_lowers_shares_by_exactly_its_size(case, noise: float, seed: int):
    weights, task, keys, _ = case
    net, p = network(weights, task), task.p
    noisy = net.U + _off((p, len(net.U)), p, keys, seed, noise * float(net.U.norm())).T
    assert neurons.key_norm_ratio(noisy, keys) == pytest.approx((1 + noise**2) ** -0.5, abs=EXACT)
    noisy = net.W_E + _off(tuple(net.W_E.shape), p, keys, seed, noise * float(net.W_E.norm()))
    assert embedding.power_on(noisy, keys) == pytest.approx(1 / (1 + noise**2), abs=EXACT)
    exact = _formula(task, keys)
    noisy = exact + _off((p, p * p), p, keys, seed, noise * float(exact.norm())).T
    part = float((noisy - noisy.mean(1, keepdim=True) - exact).norm() / exact.norm())  # centring removes a little
    assert logits.formula(noisy, net.labels, keys).fve == pytest.approx(1 / (1 + part**2), abs=EXACT)


@settings(deadline=None, max_examples=20)
@given(cases(), st.integers(0, 2**32 - 1))
def test_key_frequencies_survive_noise_and_vanish_in_it(case, seed: int):
    weights, task, keys, _ = case
    U = network(weights, task).U
    noise = torch.randn(U.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    noise *= U.norm() / noise.norm()
    assert network(_with_readout(weights, U + 0.05 * noise), task).key_frequencies == keys
    wide = Task(113)
    gaussian = torch.randn(512, 113, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    lost = network({"W_E": gaussian.T, "W_in": torch.eye(512).double(), "W_U": gaussian}, wide)
    assert lost.spectrum.keys.by_rank
    assert len(lost.key_frequencies) == 14, "as many as the published run of this family has"


def _with_readout(weights: Weights, U: Tensor) -> Weights:
    """The MLP whose U is this; of a transformer only U is kept."""
    return {"W_E": torch.zeros(U.shape[1], 1).double(), "W_in": torch.zeros(1, len(U)).double(), "W_U": U}


# ── invariances, on weights without structure ────────────────────────────────────────────────────────────────────


def _readings(net: Network) -> list[float]:
    keys, p = (1, 3), net.task.p
    post = pair_powers(net.post, p)
    found = neurons.frequencies(post)
    ablation = losses.Ablation(net.logits, net.skip_logits, net.labels)
    return [
        neurons.key_norm_ratio(net.U, keys),
        embedding.power_on(net.W_E, keys),
        embedding.gini(embedding.fourier_norms(net.W_E)),
        embedding.top_share(net.W_E, 4),
        found.single_share,
        found.share_in(keys),
        float(found.share.sum()),
        spectrum.linear_share(post),
        spectrum.quadratic_share(pair_powers(net.logits, p), keys),
        logits.formula(net.logits, net.labels, keys).fve,
        min(neurons.projection_fves(net.post, net.U, keys).values()),
        ablation.restricted_loss(keys, torch.arange(p * p)),
        ablation.excluded_loss(keys, torch.arange(p * p)),
    ]


def _noisy_transformer(task: Task, seed: int) -> Weights:
    g = torch.Generator().manual_seed(seed)
    weights = analytic.transformer(task, [1, 3], 2)
    return {name: w + 0.1 * torch.randn(w.shape, generator=g, dtype=torch.float64) for name, w in weights.items()}


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["add_mod", "sub_mod"]))
def test_measures_ignore_the_order_of_neurons_and_the_basis_of_the_residual_stream(seed: int, operation):
    task = Task(11, operation)
    weights = _noisy_transformer(task, seed)
    g = torch.Generator().manual_seed(seed)
    m, d = weights["blocks.0.mlp.W_out"].shape
    order = torch.randperm(m, generator=g)
    rotation = torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64)).Q
    turned = dict(weights)
    for name, w in weights.items():
        kind = name.rpartition(".")[2]
        if kind in ("W_Q", "W_K", "W_V", "W_in", "W_U"):
            turned[name] = rotation.T @ w
        elif kind in ("W_E", "W_pos", "W_O", "W_out"):
            turned[name] = w @ rotation
    for name, axis in (("W_in", 1), ("b_in", 0), ("W_out", 0)):
        turned[f"blocks.0.mlp.{name}"] = turned[f"blocks.0.mlp.{name}"].index_select(axis, order)
    before, after = (_readings(network(w, task)) for w in (weights, turned))
    assert after == pytest.approx(before, abs=1e-9)


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([5, 7, 13]), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_parseval(p: int, n: int, seed: int):
    values = torch.randn(p * p, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert float(spectrum_2d(values, p).square().sum()) == pytest.approx(float(values.square().sum()), rel=1e-12)
    torch.testing.assert_close(pair_powers(values, p).sum((0, 1)), values.square().sum(0), atol=0, rtol=1e-12)
    over_a = values.view(p, -1)
    constant = over_a.sum(0).square().sum() / p
    assert float(powers(over_a).sum() + constant) == pytest.approx(float(over_a.square().sum()), rel=1e-12)


@pytest.mark.parametrize("keys", [(), (3, 3), (0,), (6,)])
def test_frequencies_that_do_not_exist_are_refused(keys):
    with pytest.raises(ValueError, match="distinct frequencies from 1 to 5"):
        analytic.mlp(Task(11), keys)


def test_tasks_without_such_a_model_are_refused():
    with pytest.raises(ValueError, match="cannot subtract"):
        analytic.mlp(Task(11, "sub_mod"), [1])
    with pytest.raises(ValueError, match="odd p"):
        analytic.transformer(Task(10, "add"), [1])
