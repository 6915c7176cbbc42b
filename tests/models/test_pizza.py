"""The transformers of Zhong et al.: network, definition and engine agree; a file is read as it was trained."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grok.errors import GrokError
from grok.measure import clock_pizza
from grok.models import matrices, names
from grok.models.architectures import network, recognise
from grok.models.hooked import definition
from grok.models.names import Weights
from grok.models.tables import Batch, fold, outputs
from grok.recipe import RECIPES, Recipe
from grok.store import checkpoint
from grok.task import Task
from grok.train.engines import engine, folded
from grok.train.engines.adamw import rate_by_count
from grok.train.state import State

BOTH = pytest.mark.parametrize("name", ["pizza-a", "pizza-b"])


def small(name: str) -> Recipe:
    """Sizes that all differ, so that a transposed matrix cannot pass."""
    return replace(RECIPES[name], task=Task(7), d_model=12, d_mlp=20, n_heads=2, d_head=5, train_frac=0.6)


def drawn(recipe: Recipe) -> Weights:
    """Untrained, with biases that are not zero; float64."""
    generator = torch.Generator().manual_seed(1)
    noise = {name: torch.randn(shape, generator=generator) for name, shape in matrices.shapes(recipe).items()}
    return {name: (w + 0.2 * noise[name]).double() for name, w in matrices.initial(recipe).items()}


def solved(name: str) -> tuple[Weights, Task]:
    """A network of random features with a readout that is right on every pair, by least squares."""
    recipe = replace(small(name), d_mlp=600)
    weights = drawn(recipe)
    weights[names.W_U] = torch.eye(12, 7, dtype=torch.float64)
    model = network(weights, recipe.task)
    wanted = 20 * torch.eye(7, dtype=torch.float64)[model.labels] - model.skip_logits
    # The default driver reads memory that nobody has written, and then its solution is none.
    readout = torch.linalg.lstsq(model.post, wanted, driver="gelsd").solution
    weights[names.W_OUT] = torch.nn.functional.pad(readout, (0, 5))
    return weights, recipe.task


def as_the_source_saves_it(weights: Weights) -> Weights:
    transposed = (names.W_E, names.W_V, names.W_IN, names.W_OUT, names.W_Q, names.W_K)
    out = {name: w.mT.contiguous() if name in transposed else w for name, w in weights.items()}
    out["pos_embed.W_pos"] = out.pop(names.W_POS_AB)
    out[names.W_O] = out[names.W_O].flatten(0, 1).mT.contiguous()
    unused = torch.randn(out[names.W_V].shape, generator=torch.Generator().manual_seed(2))
    return {names.W_Q: unused, names.W_K: 2 * unused} | out | {"blocks.0.attn.mask": torch.ones(2, 2).tril()}


@BOTH
def test_the_network_has_the_activations_of_the_definition(name: str):
    recipe = small(name)
    weights = drawn(recipe)
    logits, cache = definition.hooked(weights, recipe.task).run_with_cache(recipe.task.pairs())
    model = network(weights, recipe.task)
    assert model.architecture == name
    expected = {
        "pattern": cache["hook_pattern"][:, :, -1],
        "z": cache["hook_z"][:, -1],
        "resid_mid": cache["hook_resid_mid"][:, -1],
        "pre": cache["hook_pre"][:, -1],
        "post": cache["hook_post"][:, -1],
        "logits": logits[:, -1],
    }
    for what, value in expected.items():
        torch.testing.assert_close(getattr(model, what), value.detach(), atol=1e-12, rtol=0, msg=what)
    total = 2.0 if name == "pizza-a" else 1.0
    torch.testing.assert_close(model.pattern.sum(-1), torch.full_like(model.pattern.sum(-1), total))


@BOTH
def test_chunks_and_tables_give_the_logits_of_the_whole(name: str):
    recipe = small(name)
    weights = drawn(recipe)
    whole = network(weights, recipe.task).logits
    parts = [network(part, recipe.task).logits for part in recognise(weights).chunks(weights, 3)]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-12, rtol=0)
    which = torch.tensor([3, 40, 11])
    found, _ = outputs(fold(weights), Batch.of(recipe, which).index)
    torch.testing.assert_close(found[:, :7], whole[which.sort().values], atol=1e-12, rtol=0)


@BOTH
def test_symmetricity_is_that_of_the_gradients_in_the_definition(name: str):
    recipe = small(name)
    weights = drawn(recipe)
    model, triples, kept = definition.hooked(weights, recipe.task), clock_pizza.source_triples(7), []
    logits = model.run_with_hooks(
        triples[:, :2], fwd_hooks=[("hook_embed", lambda value, hook: kept.append(value) or value)]
    )
    (grad,) = torch.autograd.grad(logits[torch.arange(len(triples)), -1, triples[:, 2]].sum(), kept)
    expected = torch.cosine_similarity(grad[:, 0], grad[:, 1], dim=1).mean()
    assert clock_pizza.gradient_symmetricity(network(weights, recipe.task)) == pytest.approx(float(expected), abs=1e-9)


def test_the_warm_up_by_a_count_on_the_device_is_that_of_the_recipe():
    """A step of the updates in a CUDA graph takes it."""
    recipe = RECIPES["pizza-a"]
    found = [float(rate_by_count(recipe, torch.tensor(float(t)))) for t in range(13)]
    assert found == pytest.approx([recipe.rate(t) for t in range(13)], rel=1e-6)
    assert found[0] == 0


@BOTH
def test_the_engine_equals_the_definition(name: str):
    """Gradients, and twenty steps, of which ten are the warm-up and the first changes nothing."""
    recipe = small(name)
    weights, task, which = drawn(recipe), recipe.task, recipe.split().train
    stacked = {key: w[None] for key, w in weights.items()}
    _, grads = folded.loss_and_grads(stacked, task.pairs()[None, which], task.labels()[None, which], recipe)
    _, expected = definition.loss_and_grads(weights, task, which)
    for key, grad in expected.items():
        torch.testing.assert_close(grads[key][0], grad, atol=1e-11, rtol=0, msg=key)
    initial = {key: w.double() for key, w in matrices.initial(recipe).items()}
    expected_steps = list(definition.train(initial, recipe, 20))
    for kind in ("manual", "folded"):
        state = State.fresh([recipe], "cpu")
        for flat in ("flat", "exp_avg", "exp_avg_sq"):
            setattr(state, flat, getattr(state, flat).double())
        stepper, start = engine.make([recipe], kind, state), state.flat.clone()
        for t, (loss, after) in enumerate(expected_steps):
            assert float(stepper.advance()) == pytest.approx(loss, rel=1e-10)
            torch.testing.assert_close(state.flat[0], matrices.flatten(after, recipe), atol=1e-10, rtol=0)
            assert torch.equal(state.flat, start) == (t == 0)


@BOTH
def test_a_file_of_the_source_is_read_with_the_attention_it_was_trained_with(tmp_path: Path, name: str):
    weights, task = solved(name)
    torch.save(as_the_source_saves_it(weights), tmp_path / "model.pt")
    loaded = checkpoint.load(tmp_path / "model.pt")
    assert (loaded.recipe_name, loaded.network.architecture) == (name, name)
    assert loaded.accuracy["all"] == 1.0
    torch.testing.assert_close(loaded.network.logits, network(weights, task).logits, atol=1e-3, rtol=0)
    assert any(note.startswith(f"read as {name}") for note in loaded.notes)
    assert loaded.ignored_keys == ["blocks.0.attn.mask"]
    checkpoint.convert(loaded, tmp_path / "ours.safetensors")
    again = checkpoint.load(tmp_path / "ours.safetensors")
    assert torch.equal(again.network.logits, loaded.network.logits)
    assert again.recipe_name == name


def test_an_untrained_file_is_read_as_the_recipe_says(tmp_path: Path):
    torch.save(as_the_source_saves_it(drawn(small("pizza-b"))), tmp_path / "model.pt")
    for name in ("pizza-a", "pizza-b"):
        assert checkpoint.load(tmp_path / "model.pt", recipe=name).recipe_name == name
    with pytest.raises(GrokError, match="the model does not show its task"):
        checkpoint.load(tmp_path / "model.pt")
