"""Z1 to Z4 where the answer is known, in other coordinates, and on networks that learned nothing."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.errors import NotEvaluable
from grok.fourier.basis import basis
from grok.measure import circles, clock_pizza
from grok.models import analytic, matrices, names, rivals
from grok.models.architectures import network
from grok.models.network import Network
from grok.recipe import RECIPES, Recipe
from grok.task import Task

KEYS = (2, 3, 5)
MODULAR = st.sampled_from(["add_mod", "sub_mod"])
CLOCK_OF_PIZZA = 8 / math.pi**2  # share of |cos x| cos y, x and y even over the circle, that cos y explains


def small(name: str, p: int = 11) -> Recipe:
    recipe = RECIPES[name]
    heads = {"n_heads": 2, "d_head": 6} if recipe.n_heads else {}
    return replace(recipe, task=replace(recipe.task, p=p), d_model=20, d_mlp=66, **heads)


def pizza_network(seed: int, p: int = 23) -> Network:
    recipe = replace(RECIPES["modadd-transformer"], task=Task(p), d_model=20, d_mlp=129)
    return network(rivals.hide(rivals.fit(rivals.pizza(recipe.task, KEYS, 129), recipe), seed), recipe.task)


@given(
    p=st.sampled_from([7, 11, 23]),
    angle=st.floats(0, math.pi / 2),
    ks=st.permutations([1, 2, 3]),
    strength=st.floats(1.5, 9),
)
@settings(max_examples=20, deadline=None)
def test_circularity_is_the_share_of_the_strongest_frequency(p: int, angle: float, ks: list[int], strength: float):
    """One component mixes two frequencies, the other is pure."""
    waves = basis(p)
    mixed = math.cos(angle) * waves[2 * ks[0] - 1] + math.sin(angle) * waves[2 * ks[1] - 1]
    table = torch.stack([strength * mixed, waves[2 * ks[2]], 0 * mixed], dim=1) + 5.0
    expected = (max(math.cos(angle) ** 2, math.sin(angle) ** 2) + 1) / 2
    assert circles.circularity(table, 2) == pytest.approx(expected, abs=1e-9)
    assert circles.circularity(table, 4) == pytest.approx(expected / 2, abs=1e-9)  # there are no more components


@given(operation=MODULAR, seed=st.integers(0, 99), share=st.floats(0.05, 0.95))
@settings(max_examples=20, deadline=None)
def test_distance_irrelevance_of_a_sum_of_two_functions(operation: str, seed: int, share: float):
    """L(s, d) = f(s) + g(d): the deviation over s is that of f for every d."""
    task, draw = Task(11, operation), torch.Generator().manual_seed(seed)  # type: ignore[arg-type]
    f, g = (x / x.std(unbiased=False) for x in torch.randn(2, 11, generator=draw, dtype=torch.float64))
    a, b = task.pairs().unbind(1)
    s, d = (a + task.sign * b) % 11, (a - task.sign * b) % 11
    logits = torch.randn(121, 11, generator=draw, dtype=torch.float64)
    logits[torch.arange(121), s] = share * f[s] + math.sqrt(1 - share**2) * g[d]
    model = SimpleNamespace(task=task, labels=task.labels(), logits=logits)
    assert clock_pizza.distance_irrelevance(model) == pytest.approx(share, abs=1e-9)  # type: ignore[arg-type]


def test_distance_has_no_meaning_without_a_modulus_or_without_a_difference():
    add = network(matrices.initial(RECIPES["add-transformer"]), RECIPES["add-transformer"].task)
    constant = SimpleNamespace(task=Task(5), labels=Task(5).labels(), logits=torch.ones(25, 5))
    for model in (add, constant):
        with pytest.raises(NotEvaluable):
            clock_pizza.distance_irrelevance(model)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "operation"),
    [(analytic.mlp, "add_mod"), (analytic.transformer, "add_mod"), (analytic.transformer, "sub_mod")],
)
def test_one_circle_of_a_clock_is_a_clock(build, operation: str):
    task = Task(23, operation)  # type: ignore[arg-type]
    for k in KEYS:
        found = clock_pizza.circle(network(build(task, KEYS), task), k)
        assert found.clock == pytest.approx(1, abs=1e-9)
        assert found.pizza == pytest.approx(CLOCK_OF_PIZZA, abs=0.01)


def test_one_circle_of_a_pizza_is_a_pizza():
    model = pizza_network(0)
    assert model.key_frequencies == KEYS
    found = clock_pizza.circles(model)
    assert [c.frequency for c in found] == list(KEYS)
    for c in found:
        assert c.pizza > 0.99
        assert c.clock == pytest.approx(CLOCK_OF_PIZZA, abs=0.01)
    assert clock_pizza.distance_irrelevance(model) < 0.02  # none but for rounding: its weights are float32


def test_the_formulas_are_the_papers():
    p, k, s, d, c = 11, 3, 4, 7, 9
    w = 2 * math.pi * k / p
    clock, pizza = clock_pizza.formulas(p, k)
    r = w * (s - c) / 2
    mean = sum(abs(math.cos(w * x / 2)) - abs(math.sin(w * x / 2)) for x in range(p)) / p
    assert float(clock[s, 0, c]) == pytest.approx(math.cos(2 * r))
    expected = abs(math.cos(w * d / 2)) * (abs(math.cos(r)) - abs(math.sin(r)) - mean)
    assert float(pizza[s, d, c]) == pytest.approx(expected)
    assert clock_pizza.z_scored(0.81) == pytest.approx(0.8)


def test_an_mlp_that_adds_its_embeddings_is_symmetric_by_construction():
    recipe = small("modadd-mlp")
    assert clock_pizza.gradient_symmetricity(network(matrices.initial(recipe), recipe.task)) > 1 - 1e-9


def test_a_transformer_whose_attention_cannot_change_is_symmetric():
    """Without keys all attention is 1/3, also in the gradient. (Attention that is constant by saturation is not.)"""
    recipe = small("modadd-transformer")
    weights = matrices.initial(recipe)
    weights[names.W_K] = torch.zeros_like(weights[names.W_K])
    assert clock_pizza.gradient_symmetricity(network(weights, recipe.task)) > 1 - 1e-9


def test_the_triples_are_the_same_each_time():
    triples = clock_pizza.source_triples(7)
    assert triples.shape == (100, 3)
    assert len({tuple(t) for t in triples.tolist()}) == 100
    assert int(triples.min()) == 0
    assert int(triples.max()) == 6
    clock_pizza.source_triples.cache_clear()
    assert torch.equal(triples, clock_pizza.source_triples(7))


def _all(model: Network) -> list[float]:
    one = clock_pizza.circle(model, 2)
    symmetric = clock_pizza.gradient_symmetricity(model)
    return [
        clock_pizza.distance_irrelevance(model),
        symmetric,
        circles.circularity(model.W_E),
        one.clock,
        one.pizza,
    ]


@pytest.mark.parametrize("name", ["modadd-mlp", "modadd-transformer", "modsub-transformer", "pizza-a", "pizza-b"])
def test_untrained_networks_have_finite_measures_within_their_range(name: str):
    recipe = small(name)
    found = _all(network(matrices.initial(recipe), recipe.task))
    assert all(math.isfinite(x) for x in found)
    assert all(-1e-9 <= x <= 1 + 1e-9 for x in (found[0], *found[2:]))
    assert -1 - 1e-9 <= found[1] <= 1 + 1e-9


@pytest.mark.parametrize("name", ["modadd-mlp", "modsub-transformer"])
def test_nothing_depends_on_the_order_of_the_neurons_or_the_basis_of_the_residual_stream(name: str):
    recipe = small(name)
    plain = {key: w.double() for key, w in matrices.initial(recipe).items()}
    one, other = (_all(network(w, recipe.task)) for w in (plain, rivals.hide(plain, seed=3)))
    assert one == pytest.approx(other, abs=1e-4)  # hidden weights are float32


@pytest.mark.parametrize("build", [pizza_network, None])
def test_the_profile_of_a_pizza_is_flat_across_the_circle_and_that_of_a_clock_is_not(build):
    task = Task(23)
    model = build(0) if build else network(analytic.mlp(task, KEYS), task)
    for k in KEYS:
        found = clock_pizza.profile(model, k)
        assert found.turns.tolist() == pytest.approx([r / 23 for r in range(23)])
        fits = found.pizza if build else found.clock
        assert float((found.together - fits).norm() / fits.norm()) < (0.15 if build else 1e-3)
        ratio = float(found.opposite.norm() / found.together.norm())
        most = math.sin(math.pi / 2 / 23)  # |cos(w_k d/2)| of the d nearest to half a turn: p is odd
        assert ratio == pytest.approx(most if build else 1, abs=0.002)
