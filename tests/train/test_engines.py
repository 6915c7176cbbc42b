"""Every engine equals the definition: loss, all gradients, and 200 training steps."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch

from grok.errors import GrokError
from grok.models import matrices as weights
from grok.models.hooked import definition
from grok.models.tables import Batch, fold
from grok.recipe import CROSS_ENTROPY, RECIPES, SQUARED_ERROR, Loss, Recipe
from grok.store.fixture import load_fixture
from grok.task import Task
from grok.train.engines import engine, folded, manual
from grok.train.state import State

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
SHAPES = ("modadd-mlp", "modadd-transformer", "modsub-transformer", "add-transformer")
SMALL = {"d_model": 12, "d_mlp": 20}


def _small(name: str) -> Recipe:
    """The recipe with a smaller p and smaller, all different, sizes: 200 steps take a second."""
    recipe = RECIPES[name]
    p = 7 if recipe.task.modular else 5
    heads = {"n_heads": 2, "d_head": 5} if recipe.architecture == "transformer" else {}
    return replace(recipe, task=Task(p=p, operation=recipe.task.operation), train_frac=0.6, **SMALL, **heads)


EVERY = [*map(_small, SHAPES), *map(RECIPES.__getitem__, SHAPES)]


def _double(recipe: Recipe) -> weights.Weights:
    return {name: w.double() for name, w in weights.initial(recipe).items()}


def _relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _folded(given: weights.Weights, recipe: Recipe, which: torch.Tensor) -> tuple[torch.Tensor, weights.Weights]:
    task = recipe.task
    stacked = {name: w[None] for name, w in given.items()}
    loss, grads = folded.loss_and_grads(stacked, task.pairs()[None, which], task.labels()[None, which], recipe)
    return loss[0], {name: g[0] for name, g in grads.items()}


def _manual(given: weights.Weights, recipe: Recipe, which: torch.Tensor) -> tuple[torch.Tensor, weights.Weights]:
    return manual.loss_and_grads(given, fold(given), Batch.unordered(recipe, which))


def _manual_in_blocks(
    given: weights.Weights, recipe: Recipe, which: torch.Tensor
) -> tuple[torch.Tensor, weights.Weights]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("grok.models.tables.BLOCK", max(7, len(which) // 3))  # several, the last one smaller
        return _manual(given, recipe, which)


@pytest.mark.parametrize("compute", [_folded, _manual, _manual_in_blocks])
@pytest.mark.parametrize(
    "recipe", [*map(_small, SHAPES), *map(RECIPES.get, SHAPES)], ids=lambda r: f"{r.name}-{r.task.p}"
)
def test_loss_and_every_gradient_equal_the_definition(recipe: Recipe, compute):
    given, which = _double(recipe), recipe.split().train
    loss, grads = compute(given, recipe, which)
    expected_loss, expected = definition.loss_and_grads(given, recipe.task, which)
    assert abs(loss - expected_loss) < 1e-10
    assert grads.keys() == expected.keys()
    errors = {name: _relative(grads[name], expected[name]) for name in expected}
    assert max(errors.values()) < 1e-10, errors


@pytest.mark.parametrize("compute", [_folded, _manual, _manual_in_blocks])
@pytest.mark.parametrize("task", [Task(7), Task(3, "symmetric")], ids=str)
def test_gradients_of_concatenated_embeddings_equal_the_definition(task: Task, compute):
    recipe = replace(RECIPES["c113-mlp"], task=task, train_frac=0.6, **SMALL)
    given, which = _double(recipe), recipe.split().train
    loss, grads = compute(given, recipe, which)
    expected_loss, expected = definition.loss_and_grads(given, task, which)
    assert abs(loss - expected_loss) < 1e-10
    assert max(_relative(grads[name], expected[name]) for name in expected) < 1e-10


@pytest.mark.parametrize("loss", [CROSS_ENTROPY, SQUARED_ERROR])
def test_quadratic_neurons_are_trained_as_the_definition_does(loss: Loss):
    recipe = replace(_small("quad-mlp"), loss=loss, d_mlp=20)
    given, which = _double(recipe), recipe.split().train
    value, grads = _folded(given, recipe, which)
    expected_value, expected = definition.loss_and_grads(given, recipe.task, which, loss)
    assert abs(value - expected_value) < 1e-12
    assert max(_relative(grads[name], expected[name]) for name in expected) < 1e-10
    state = _state([recipe], torch.float64)
    stepper = engine.make([recipe], "folded", state)
    for value, matrices in definition.train(_double(recipe), recipe, 20):
        assert abs(float(stepper.advance()) / value - 1) < 1e-10
        assert _relative(state.flat[0], weights.flatten(matrices, recipe)) < 1e-9
    with pytest.raises(GrokError, match="--engine folded"):
        engine.make([recipe], "manual", state)


@pytest.mark.parametrize("compute", [_folded, _manual, _manual_in_blocks])
@pytest.mark.parametrize("name", ["pizza-a", "pizza-b"])
def test_gradients_of_a_pizza_equal_the_definition(name: str, compute):
    """Biases that are zero, as at the start, would hide a wrong gradient of what they are multiplied with."""
    recipe = replace(_small(name), n_heads=2, d_head=5)
    noise = torch.Generator().manual_seed(5)
    given = {key: w + 0.3 * torch.randn(w.shape, generator=noise).double() for key, w in _double(recipe).items()}
    which = recipe.split().train
    loss, grads = compute(given, recipe, which)
    expected_loss, expected = definition.loss_and_grads(given, recipe.task, which)
    assert abs(loss - expected_loss) < 1e-10
    assert grads.keys() == expected.keys()
    errors = {key: _relative(grads[key], expected[key]) for key in expected}
    assert max(errors.values()) < 1e-10, errors


@pytest.mark.parametrize("compute", [_folded, _manual])
@pytest.mark.parametrize("name", ["add-transformer", "modadd-transformer"])
def test_gradients_of_a_solved_model_equal_the_definition_in_float32(name: str, compute):
    """Where the loss is 1e-7: what cancels there is not seen on fresh weights, nor in float64.

    To 1e-3: a few ReLUs next to zero, that rounding puts on its other side, make 6e-4.
    """
    fixture = load_fixture(FIXTURES / name / "seed999")
    task, which, exact = fixture.recipe.task, fixture.recipe.split().train, fixture.network().weights
    _, grads = compute({name: w.float() for name, w in exact.items()}, fixture.recipe, which)
    _, expected = definition.loss_and_grads(exact, task, which)
    found, wanted = (torch.cat([g[name].double().flatten() for name in exact]) for g in (grads, expected))
    assert _relative(found, wanted) < 1e-3


@pytest.mark.parametrize("recipe", [*map(_small, SHAPES)], ids=lambda r: r.name)
def test_two_hundred_steps_equal_the_definition(recipe: Recipe):
    """Losses and weights, at every step: to 1e-12 in float64, to 5e-3 in float32.

    The float32 figure is the definition's own: run in float32 it departs from itself in float64 by up to 1.7e-3 here,
    because Adam divides by gradients that are next to nothing, where rounding decides.
    """
    expected = list(definition.train(_double(recipe), recipe, 200))
    for name, (dtype, tolerance) in product(("manual", "folded"), ((torch.float64, 1e-12), (torch.float32, 5e-3))):
        state = _state([recipe], dtype)
        stepper = engine.make([recipe], name, state)
        for t, (loss, matrices) in enumerate(expected):
            stepper.test_loss()  # what an engine keeps of it for the step must not outlive the step
            assert abs(float(stepper.advance()) / loss - 1) < tolerance, (name, dtype, t)
            assert _relative(state.flat[0], weights.flatten(matrices, recipe)) < tolerance, (name, dtype, t)
        last = _test_loss(expected[-1][1], recipe)
        assert abs(float(stepper.test_loss()) / last - 1) < tolerance, (name, dtype)


@pytest.mark.parametrize("name", ["modadd-mlp", "add-transformer"])
def test_the_definition_as_an_engine_goes_on_from_its_state(name: str):
    """With the bits of the definition run in one go; Adam's moments are those of another engine."""
    recipe = _small(name)
    *_, (loss, matrices) = definition.train(weights.initial(recipe), recipe, 6)
    state, other = _state([recipe], torch.float32), _state([recipe], torch.float32)
    for _ in range(2):
        stepper = engine.make([recipe], "definition", state)
        for _ in range(3):
            before = stepper.advance()
            state.step += 1
    assert float(before) == loss
    assert torch.equal(state.flat[0], weights.flatten(matrices, recipe))
    assert float(stepper.train_loss()) < loss
    assert abs(float(stepper.test_loss()) / _test_loss(matrices, recipe) - 1) < 1e-12
    manual_engine = engine.make([recipe], "manual", other)
    for _ in range(6):
        manual_engine.advance()
    for moment in ("exp_avg", "exp_avg_sq"):
        assert _relative(getattr(state, moment), getattr(other, moment)) < 1e-4


@pytest.mark.parametrize("name", ["manual", "definition"])
def test_a_seed_has_the_same_bits_alone_and_in_a_batch(name: str):
    recipes = [_small("modsub-transformer"), _small("modsub-transformer").with_seed(7)]
    together, alone = _state(recipes, torch.float32), _state(recipes[1:], torch.float32)
    batch, single = engine.make(recipes, name, together), engine.make(recipes[1:], name, alone)
    for _ in range(3):
        assert batch.test_loss()[1] == single.test_loss()[0]
        assert batch.advance()[1] == single.advance()[0]
    assert torch.equal(together.flat[1], alone.flat[0])
    assert torch.equal(together.exp_avg_sq[1], alone.exp_avg_sq[0])


@pytest.mark.parametrize("recipe", EVERY, ids=lambda r: f"{r.name}-{r.task.p}")
def test_the_loss_without_gradients_equals_the_definition(recipe: Recipe, monkeypatch: pytest.MonkeyPatch):
    """It goes its own way through the tables; in several blocks, the last one smaller."""
    monkeypatch.setattr("grok.models.tables.BLOCK", max(7, len(recipe.split().test) // 3))
    given = _double(recipe)
    batch = Batch.unordered(recipe, recipe.split().test)
    assert len(batch.blocks) > 1
    assert abs(float(manual.loss(fold(given), batch)) - _test_loss(given, recipe)) < 1e-10


@pytest.mark.parametrize(("operation", "merged"), [("add_mod", True), ("sub_mod", False)])
def test_pairs_that_an_mlp_cannot_tell_apart_are_one_if_they_have_one_label(operation: str, merged: bool):
    """Of (2, 5), (5, 2), (3, 3) and (6, 1)."""
    recipe = replace(RECIPES["modadd-mlp"], task=Task(7, operation))
    batch = Batch.unordered(recipe, torch.tensor([2 * 7 + 5, 5 * 7 + 2, 3 * 7 + 3, 6 * 7 + 1]))
    assert batch.n == 4
    found = {tuple(pair): count for pair, count in zip(batch.index.pairs.tolist(), batch.times.tolist(), strict=True)}
    if merged:
        assert found == {(2, 5): 2, (3, 3): 1, (1, 6): 1}
    else:
        assert sorted(batch.labels.tolist()) == [0, 3, 4, 5]
    plain = Batch.unordered(replace(recipe, architecture="concat"), torch.tensor([2 * 7 + 5, 5 * 7 + 2]))
    assert plain.index.pairs.tolist() == [[2, 5], [5, 2]]


@torch.no_grad()
def _test_loss(given: weights.Weights, recipe: Recipe) -> float:
    return float(definition.loss(definition.hooked(given, recipe.task), recipe.task, recipe.split().test))


def _state(recipes: list[Recipe], dtype: torch.dtype) -> State:
    state = State.fresh(recipes, "cpu")
    for name in ("flat", "exp_avg", "exp_avg_sq"):
        setattr(state, name, getattr(state, name).to(dtype))
    return state
