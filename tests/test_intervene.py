"""Every ablation through TransformerLens hooks is the one computed by hand from the weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from grok.errors import NotEvaluable
from grok.measure import losses
from grok.measure.components import pca
from grok.measure.intervene import (
    Activations,
    Intervention,
    by_hand,
    by_hooks,
    keep_frequencies,
    random_directions,
    remove_frequencies,
)
from grok.models import matrices as weights
from grok.models.network import Network, network
from grok.recipe import RECIPES
from grok.task import Task

KEYS = (1, 4)
SMALL = replace(
    RECIPES["modadd-transformer"], task=Task(11), d_model=16, n_heads=2, d_head=8, d_mlp=24, seed=3, split_seed=3
)


@pytest.fixture(scope="module")
def model() -> Network:
    """Random weights, and random biases as models of others have them: each ablation must leave them in place."""
    generator = torch.Generator().manual_seed(5)
    shapes = {"mlp.b_in": (24,), "mlp.b_out": (16,), "attn.b_Q": (2, 8), "attn.b_V": (2, 8), "attn.b_O": (16,)}
    biases = {f"blocks.0.{name}": torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    biases["unembed.b_U"] = torch.randn(11, generator=generator)
    return network(weights.initial(SMALL) | biases, SMALL.task, SMALL.split())


def changes(model: Network) -> dict[str, Intervention]:
    pcs = pca(model.W_E)
    return {
        "PC1 only": Intervention(embedding=pcs.keep([0])),
        "PC2 removed alone": Intervention(embedding=pcs.remove([1])),
        "PC3 … removed": Intervention(embedding=pcs.keep([0, 1])),
        "no skip around the MLP": Intervention(skip=False),
        "key frequencies kept": Intervention(post=keep_frequencies(model.task, KEYS)),
        "key frequencies removed": Intervention(post=remove_frequencies(model.task, KEYS)),
        "all at once": Intervention(pcs.keep([0]), remove_frequencies(model.task, KEYS), skip=False),
    }


def assert_same(one: Activations, other: Activations) -> None:
    for part in ("pre", "post", "logits"):
        torch.testing.assert_close(getattr(one, part), getattr(other, part), atol=1e-10, rtol=1e-10)


def test_no_change_is_the_model_itself(model):
    untouched = Activations(model.pre, model.post, model.logits)
    assert_same(by_hooks(model, Intervention()), untouched)
    assert_same(by_hand(model, Intervention()), untouched)


@pytest.mark.parametrize("name", changes(network(weights.initial(SMALL), SMALL.task)))
def test_hooks_and_hand_agree_and_change_something(model, name):
    change = changes(model)[name]
    hooks = by_hooks(model, change)
    assert_same(hooks, by_hand(model, change))
    assert (hooks.logits - model.logits).abs().max() > 1e-3


def test_frequencies_in_the_neurons_are_frequencies_in_what_they_write(model):
    """The measures of claims project logits; here the neurons themselves are projected."""
    ablation = losses.Ablation(model.logits, model.skip_logits, model.labels)
    kept = by_hooks(model, Intervention(post=keep_frequencies(model.task, KEYS))).logits
    removed = by_hooks(model, Intervention(post=remove_frequencies(model.task, KEYS))).logits
    torch.testing.assert_close(kept, ablation.restricted(KEYS), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(removed, ablation.excluded(KEYS), atol=1e-10, rtol=1e-10)


def test_without_the_skip_only_neurons_and_output_biases_reach_the_logits(model):
    silent = by_hooks(model, Intervention(post=torch.zeros_like, skip=False)).logits
    biases = model.weights["blocks.0.mlp.b_out"] @ model.weights[weights.W_U] + model.weights["unembed.b_U"]
    torch.testing.assert_close(silent, biases.expand_as(silent), atol=1e-10, rtol=1e-10)


def test_the_equals_token_is_not_ablated(model):
    """Only a and b lose components: with constant embeddings of both, every pair gives the same logits."""
    constant = by_hooks(model, Intervention(embedding=pca(model.W_E).keep([])))
    torch.testing.assert_close(constant.logits, constant.logits[:1].expand_as(constant.logits))


def test_an_mlp_has_no_skip_to_ablate():
    mlp = replace(RECIPES["modadd-mlp"], task=Task(11), d_model=8, d_mlp=8)
    with pytest.raises(NotEvaluable, match="transformers only"):
        by_hand(network(weights.initial(mlp), mlp.task), Intervention(skip=False))


def test_random_directions_are_orthonormal_and_fixed_by_their_seed():
    directions = random_directions(12, rank=3, draws=4, seed=1)
    torch.testing.assert_close(directions @ directions.mT, torch.eye(3, dtype=torch.float64).expand(4, 3, 3))
    assert torch.equal(directions, random_directions(12, rank=3, draws=4, seed=1))
    assert not torch.equal(directions, random_directions(12, rank=3, draws=4, seed=2))
