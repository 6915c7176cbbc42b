"""The hooked definitions: published untrained losses, hooks that act, the same activations as ``Network``."""

from dataclasses import replace

import pytest
import torch

from grok.models import matrices as weights
from grok.models.architectures import network
from grok.models.hooked import concat, definition, mlp, transformer
from grok.recipe import RECIPES
from grok.task import Task

MLP, TRANSFORMER, SUBTRACTION = (RECIPES[name] for name in ("modadd-mlp", "modadd-transformer", "modsub-transformer"))
CONCAT = RECIPES["c113-mlp"]
SMALL = Task(p=7, operation="sub_mod")


def _random_transformer(task: Task, biases: bool, seed: int = 0) -> weights.Weights:
    """Random weights in float64 with sizes that all differ, so that a transposed matrix cannot pass."""
    g = torch.Generator().manual_seed(seed)
    d, h, k, m, c = 6, 2, 5, 11, task.n_classes
    shapes = {
        **weights.shapes(replace(TRANSFORMER, task=task, d_model=d, n_heads=h, d_head=k, d_mlp=m)),
        **({f"blocks.0.attn.b_{x}": (h, k) for x in "QKV"} if biases else {}),
        **({"blocks.0.attn.b_O": (d,), "blocks.0.mlp.b_in": (m,), "blocks.0.mlp.b_out": (d,)} if biases else {}),
        **({"unembed.b_U": (c,)} if biases else {}),
    }
    return {name: torch.randn(shape, generator=g, dtype=torch.float64) for name, shape in shapes.items()}


def test_the_initial_weights_of_seed_999_have_the_published_losses():
    split = SUBTRACTION.split()
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-9)):
        initial = {name: w.to(dtype) for name, w in weights.initial(SUBTRACTION).items()}
        model = definition.hooked(initial, SUBTRACTION.task)
        with torch.no_grad():
            train, test = (
                definition.loss(model, SUBTRACTION.task, which).item() for which in (split.train, split.test)
            )
        assert train == pytest.approx(4.732243928736632, abs=tolerance)
        assert test == pytest.approx(4.7345742216589235, abs=tolerance)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("task", [SMALL, Task(p=5, operation="add")])
def test_the_network_of_a_transformer_has_the_activations_of_the_definition(task: Task, biases: bool):
    given = _random_transformer(task, biases)
    model = transformer.hooked(given, task)
    logits, cache = model.run_with_cache(transformer.tokens(task))
    net = network(given, task)
    expected = {
        "pre": cache["blocks.0.mlp.hook_pre"][:, -1],
        "post": cache["blocks.0.mlp.hook_post"][:, -1],
        "pattern": cache["blocks.0.attn.hook_pattern"][:, :, -1],
        "z": cache["blocks.0.attn.hook_z"][:, -1],
        "resid_mid": cache["blocks.0.hook_resid_mid"][:, -1],
        "logits": logits[:, -1],
    }
    for name, value in expected.items():
        torch.testing.assert_close(getattr(net, name), value.detach(), atol=1e-10, rtol=0, msg=name)


@pytest.mark.parametrize("extra", [{}, {"W_E_b": (7, 6), "b_in": (11,), "b_U": (7,)}])
def test_the_network_of_an_mlp_has_the_activations_of_the_definition(extra: dict):
    g = torch.Generator().manual_seed(1)
    shapes = {"W_E": (7, 6), "W_in": (6, 11), "W_U": (11, 7), **extra}
    given = {name: torch.randn(shape, generator=g, dtype=torch.float64) for name, shape in shapes.items()}
    logits, cache = mlp.hooked(given).run_with_cache(SMALL.pairs())
    net = network(given, SMALL)
    for value, expected in ((net.pre, cache["hook_pre"]), (net.post, cache["hook_post"]), (net.logits, logits)):
        torch.testing.assert_close(value, expected.detach(), atol=1e-10, rtol=0)


def test_the_network_of_concatenated_embeddings_has_the_activations_of_the_definition():
    g = torch.Generator().manual_seed(1)
    shapes = weights.shapes(replace(CONCAT, task=SMALL, d_model=6, d_mlp=11))
    given = {name: torch.randn(shape, generator=g, dtype=torch.float64) for name, shape in shapes.items()}
    model = concat.hooked(given)
    logits, cache = model.run_with_cache(SMALL.pairs())
    net = network(given, SMALL)
    for value, expected in ((net.pre, cache["hook_pre"]), (net.post, cache["hook_post"]), (net.logits, logits)):
        torch.testing.assert_close(value, expected.detach(), atol=1e-10, rtol=0)
    a, b = SMALL.pairs().unbind(1)
    torch.testing.assert_close(cache["hook_embed"].detach(), torch.cat([net.W_E[a, :6], net.W_E[b, 6:]], dim=1))
    assert all(torch.equal(back, given[name]) for name, back in concat.matrices(model).items())


def test_the_published_sizes_too():
    for recipe in (MLP, TRANSFORMER, CONCAT):
        initial = {name: w.double() for name, w in weights.initial(recipe).items()}
        with torch.no_grad():
            logits = definition.logits(definition.hooked(initial, recipe.task), recipe.task)
        torch.testing.assert_close(network(initial, recipe.task).logits, logits, atol=1e-10, rtol=0)


def test_hooks_change_what_follows_them():
    given = _random_transformer(SMALL, biases=False)
    model = transformer.hooked(given, SMALL)
    silent = model.run_with_hooks(
        transformer.tokens(SMALL), fwd_hooks=[("blocks.0.mlp.hook_post", lambda act, hook: torch.zeros_like(act))]
    )
    net = network(given, SMALL)
    torch.testing.assert_close(silent[:, -1].detach(), net.logits_from(torch.zeros_like(net.post)), atol=1e-10, rtol=0)

    perceptron = {name: w.double() for name, w in weights.initial(replace(MLP, task=SMALL)).items()}
    silent = mlp.hooked(perceptron).run_with_hooks(
        SMALL.pairs(), fwd_hooks=[("hook_post", lambda act, hook: torch.zeros_like(act))]
    )
    assert silent.abs().max() == 0


def test_a_model_gives_back_its_matrices_and_freezes_the_biases_it_was_not_given():
    for biases in (False, True):
        given = _random_transformer(SMALL, biases)
        model = transformer.hooked(given, SMALL)
        back = transformer.matrices(model)
        assert all(torch.equal(back[name], w) for name, w in given.items())
        assert all(w.abs().max() == 0 for name, w in back.items() if name not in given)
        # unembed.b_U is a buffer in TransformerLens's native model, never a parameter
        assert sum(w.requires_grad for w in model.parameters()) == len([n for n in given if n != "unembed.b_U"])


def test_weights_that_do_not_fit_are_refused():
    given = _random_transformer(SMALL, biases=False)
    too_few_neurons = given | {"blocks.0.mlp.W_out": given["blocks.0.mlp.W_out"][:-1]}
    with pytest.raises(ValueError, match="do not fit"):
        transformer.hooked(too_few_neurons, SMALL)
    with pytest.raises(ValueError, match="one for each number"):
        transformer.hooked(given, Task(p=8))
