"""Every engine equals the definition: loss, all gradients, and 200 training steps."""

from dataclasses import replace

import pytest
import torch

from grok import weights
from grok.errors import GrokError
from grok.models import definition
from grok.recipe import RECIPES, Recipe
from grok.task import Task
from grok.train import engine, folded, manual, run
from grok.train.graph import CHUNK, Graphed
from grok.train.run import State

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
    return manual.loss_and_grads(given, manual.Batch.of(recipe, which))


@pytest.mark.parametrize("compute", [_folded, _manual])
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


@pytest.mark.parametrize("name", ["manual", "folded"])
@pytest.mark.parametrize("recipe", [*map(_small, SHAPES)], ids=lambda r: r.name)
def test_two_hundred_steps_equal_the_definition(recipe: Recipe, name: str):
    """Losses and weights, at every step: to 1e-12 in float64, to 5e-3 in float32.

    The float32 figure is the definition's own: run in float32 it departs from itself in float64 by up to 1.7e-3 here,
    because Adam divides by gradients that are next to nothing, where rounding decides.
    """
    expected = list(definition.train(_double(recipe), recipe, 200))
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 5e-3)):
        state = _state([recipe], dtype)
        stepper = engine.make([recipe], name, state)
        for t, (loss, matrices) in enumerate(expected):
            assert abs(float(stepper.advance()) / loss - 1) < tolerance, (dtype, t)
            flat = weights.flatten(matrices, recipe)
            assert _relative(state.flat[0], flat) < tolerance, (dtype, t)


def _state(recipes: list[Recipe], dtype: torch.dtype) -> State:
    state = State.fresh(recipes, "cpu")
    for name in ("flat", "exp_avg", "exp_avg_sq"):
        setattr(state, name, getattr(state, name).to(dtype))
    return state


# ── the GPU engines, as far as a CPU can run them ────────────────────────────────────────────────────────────────


def test_the_ordered_gradient_of_a_table_is_gathers():
    table = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    token = torch.tensor([[0, 4, 4, 1], [2, 2, 2, 3]])
    assert torch.autograd.gradcheck(lambda t: folded.OrderedRows.apply(t, token), [table])
    expected = folded._rows(table, token)
    torch.testing.assert_close(folded.OrderedRows.apply(table, token), expected, atol=0, rtol=0)


@pytest.mark.parametrize("name", ["modadd-mlp", "modsub-transformer", "add-transformer"])
def test_the_triton_engine_equals_folded(name: str):
    """In Triton's interpreter where there is no GPU; two seeds, three steps, float32."""
    pytest.importorskip("triton", reason="Triton is for Linux on x86-64")
    recipes = [_small(name), _small(name).with_seed(7)]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    states = [State.fresh(recipes, device) for _ in range(2)]
    reference, kernels = (engine.make(recipes, e, s) for e, s in zip(("folded", "triton"), states, strict=True))
    torch.testing.assert_close(kernels.test_loss(), reference.test_loss(), rtol=1e-5, atol=0)
    for _ in range(3):
        torch.testing.assert_close(kernels.advance(), reference.advance(), rtol=1e-5, atol=0)
    assert _relative(states[1].exp_avg, states[0].exp_avg) < 1e-5
    assert _relative(states[1].flat, states[0].flat) < 1e-4
    torch.testing.assert_close(kernels.train_loss(), reference.train_loss(), rtol=1e-5, atol=0)


def test_a_chunk_of_steps_is_the_steps_one_by_one():
    recipe = _small("modadd-mlp")
    states = [State.fresh([recipe], "cpu") for _ in range(2)]
    single, chunked = (engine.make([recipe], "folded", state) for state in states)
    train, test = Graphed(chunked, eval_every=10).advance_chunk()
    for t in range(CHUNK):
        if t % 10 == 0:
            assert torch.equal(test[:, t // 10], single.test_loss())
        assert torch.equal(train[:, t], single.advance())
    assert torch.equal(states[0].flat, states[1].flat)
    assert Graphed(chunked, eval_every=7).chunk == 1  # test losses would not fall on the same step of every chunk


def test_a_run_in_chunks_is_the_run_step_by_step(tmp_path, monkeypatch):
    recipe = replace(_small("modadd-mlp"), steps=250)
    run.train([recipe], tmp_path / "single", run.Settings(engine="folded"), progress=False)
    make = engine.make
    monkeypatch.setattr(run.engine, "make", lambda *a: Graphed(make(*a), a[-1]))
    run.train([recipe], tmp_path / "chunked", run.Settings(engine="folded"), progress=False)
    snapshots = [(tmp_path / kind / "snapshots.f32").read_bytes() for kind in ("single", "chunked")]
    assert snapshots[0] == snapshots[1]
    states = [State.load(tmp_path / kind / "state.safetensors", "cpu").tensors() for kind in ("single", "chunked")]
    for name in states[0].keys() - {"seconds"}:
        torch.testing.assert_close(states[0][name], states[1][name], rtol=0, atol=0, equal_nan=True)


def test_an_engine_that_cannot_run_here_says_what_can(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    recipe = _small("modadd-mlp")
    for name, expected in (("cuda_graph", "--device cuda"), ("triton", "--device cuda"), ("fast", "known: manual")):
        with pytest.raises(GrokError, match=expected):
            engine.make([recipe], name, State.fresh([recipe], "cpu"))
