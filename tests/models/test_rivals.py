"""Rivals are right on every pair, by the algorithm that they say, and hiding them changes no logit."""

import math
from dataclasses import replace

import pytest
import torch

from grok.fourier.basis import powers
from grok.fourier.keys import gap
from grok.groups import tables
from grok.measure import losses
from grok.models import architectures, entries, rivals
from grok.models.architectures import network
from grok.models.matrices import shapes
from grok.recipe import FAMILIES, get_recipe
from grok.task import Task

ALL = [(recipe.name, name) for recipe in FAMILIES for name in rivals.rivals_of(recipe)]


def made(recipe_name: str, name: str):
    recipe = get_recipe(recipe_name)
    return network(rivals.rival(recipe, name), recipe.task, recipe.split())


def test_every_family_has_its_rivals():
    found = {recipe.name: rivals.rivals_of(recipe) for recipe in FAMILIES if rivals.rivals_of(recipe)}
    assert found == {
        "modadd-mlp": ("number-line", "all-frequencies"),
        "modadd-transformer": ("number-line", "all-frequencies", "pizza"),
        "modsub-transformer": ("number-line", "many-frequencies"),
        "add-transformer": ("number-line",),
        "pizza-a": ("number-line",),
        "pizza-b": ("number-line", "all-frequencies"),
        "s5-mlp": ("entries",),
    }


@pytest.mark.parametrize(("recipe_name", "name"), ALL)
def test_a_rival_has_the_published_shape_and_is_right_on_every_pair(recipe_name: str, name: str):
    recipe = get_recipe(recipe_name)
    weights = rivals.rival(recipe, name)
    assert {key: tuple(w.shape) for key, w in weights.items()} == shapes(recipe)
    assert all(torch.equal(w, rivals.rival(recipe, name)[key]) for key, w in weights.items())
    model = network(weights, recipe.task)
    assert losses.accuracy(model.logits, model.labels) == 1
    assert losses.mean_loss(model.logits, model.labels) < 1e-9


@pytest.mark.parametrize(
    ("recipe_name", "name"), [pair for pair in ALL if pair[0] not in ("add-transformer", "s5-mlp")]
)
def test_a_unit_gives_the_same_algorithm_on_other_frequencies(recipe_name: str, name: str):
    recipe = get_recipe(recipe_name)
    first, other = (network(rivals.rival(recipe, name, unit), recipe.task) for unit in (1, 4))
    assert losses.accuracy(other.logits, other.labels) == 1
    if name == "pizza":
        times_four = {min(4 * k % 113, -4 * k % 113) for k in first.key_frequencies}
        assert set(other.key_frequencies) == times_four != set(first.key_frequencies)


@pytest.mark.parametrize("p", [113, 59])
@pytest.mark.parametrize(
    ("recipe_name", "name"),
    [pair for pair in ALL if architectures.named(get_recipe(pair[0]).architecture).network.activations],
)
def test_with_gelu_a_rival_has_the_logits_that_it_has_with_relu(recipe_name: str, name: str, p: int):
    recipe = get_recipe(recipe_name)
    recipe = replace(recipe, task=replace(recipe.task, p=p if recipe.task.modular else 10))
    one, other = (
        network(rivals.rival(of, name), of.task, activation=of.activation)
        for of in (recipe, replace(recipe, activation="gelu"))
    )
    torch.testing.assert_close(other.logits, one.logits, atol=0.5, rtol=0)  # the right one is 30 above the rest
    assert losses.accuracy(other.logits, other.labels) == 1
    assert losses.mean_loss(other.logits, other.labels) < 1e-9


def test_the_entries_rival_asks_where_each_thing_is_sent():
    """Each live neuron is 1 on the pairs where a sends an i to a j and b sends it on to a k, and 0 elsewhere."""
    model = made("s5-mlp", "entries")
    live = model.post[:, model.post.amax(0) > 0.5]
    assert live.shape == (120**2, 125)
    assert float((live - live.round()).abs().max()) < 1e-5
    assert torch.equal(live.round().sum(0), torch.full((125,), 24.0 * 24, dtype=torch.float64))
    agreements = (model.logits / entries.AGREEMENT).round()
    a, b = 7, 100
    both = [tables.permutations(5)[b][i] for i in tables.permutations(5)[a]]
    assert agreements[a * 120 + b].tolist() == [
        sum(x == y for x, y in zip(both, c, strict=True)) for c in tables.permutations(5)
    ]


@pytest.mark.parametrize("recipe_name", ["modadd-mlp", "modsub-transformer", "pizza-b"])
def test_hiding_changes_the_weights_and_no_logit(recipe_name: str):
    recipe = get_recipe(recipe_name)
    plain = rivals.fit(rivals.number_line(recipe.task), recipe)
    hidden = rivals.hide(plain, seed=3)
    used = [name for name, w in plain.items() if bool(w.any())]
    assert all(not torch.allclose(plain[name].float(), hidden[name], rtol=1e-3, atol=1e-6) for name in used)
    one, other = (network(w, recipe.task).logits for w in (plain, hidden))
    torch.testing.assert_close(one, other, atol=0.2, rtol=0)  # float32 weights, logits of 30


def test_the_number_line_has_no_favourite_frequency():
    model = made("modadd-transformer", "number-line")
    assert gap(model.U)[1] < 1.5
    assert torch.linalg.matrix_rank(model.W_E - model.W_E.mean(0), atol=1e-4) == 1


@pytest.mark.parametrize("recipe_name", ["modadd-mlp", "modadd-transformer"])
def test_all_frequencies_are_of_one_strength(recipe_name: str):
    of_u = powers(made(recipe_name, "all-frequencies").U, dim=1)
    assert float(of_u.max() / of_u.min()) < 1.001


def test_the_pizza_s_logits_are_those_of_its_formula():
    model, p = made("modadd-transformer", "pizza"), 113
    assert model.key_frequencies == rivals.PIZZA_KEYS
    w = 2 * math.pi / p * torch.tensor(rivals.PIZZA_KEYS, dtype=torch.float64)
    a, b = model.task.pairs().double().unbind(1)
    c = torch.arange(p, dtype=torch.float64)
    strength = (w * (a - b)[:, None] / 2).cos().abs()
    formula = (strength[:, None] * (w * ((a + b)[:, None] - c)[..., None]).cos()).sum(-1)
    together = torch.stack([(x - x.mean(1, keepdim=True)).flatten() for x in (formula, model.logits)])
    assert float(torch.corrcoef(together)[0, 1]) > 0.999


def test_what_does_not_fit_is_refused():
    subtraction = replace(get_recipe("pizza-a"), task=Task(59, "sub_mod"))
    with pytest.raises(ValueError, match="read a and b alike"):
        rivals.fit(rivals.number_line(subtraction.task), subtraction)
    with pytest.raises(ValueError, match="do not fit"):
        entries.hidden(replace(get_recipe("s5-mlp"), d_mlp=124), 0)
    recipe = get_recipe("modadd-mlp")
    with pytest.raises(ValueError, match="do not fit"):
        rivals.fit(rivals.pizza(recipe.task, range(1, 57), 1024), recipe)
