"""Every ablation through TransformerLens hooks is the one computed by hand from the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from grok.errors import NotEvaluable
from grok.fourier.basis import basis, rows
from grok.measure import losses
from grok.measure.components import keep, pca, remove
from grok.measure.intervene import Activations, Edit, Intervention, by_hand, random_directions
from grok.models import matrices as weights
from grok.models import names
from grok.models.architectures import network
from grok.models.hooked import transformer
from grok.models.network import Network
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
        "both at once": Intervention(pcs.keep([0]), skip=False),
        "no heads": Intervention(heads=False),
        "no heads, no skip": Intervention(heads=False, skip=False),
    }


LAST = 2  # the position of ``=``
PRE, POST, MLP_OUT, RESID_POST = (
    "blocks.0.mlp.hook_pre",
    "blocks.0.mlp.hook_post",
    "blocks.0.hook_mlp_out",
    "blocks.0.hook_resid_post",
)


def by_hooks(model: Network, change: Intervention, post: Edit | None = None) -> Activations:
    """The definition: the changed forward pass through TransformerLens hooks.

    post: an edit of the MLP activations at the last position on all pairs, [p², d_mlp] → [p², d_mlp].
    """
    bridge = transformer.hooked(model.weights, model.task)
    seen: dict[str, torch.Tensor] = {}

    def see(name: str) -> tuple[str, Callable[..., None]]:
        return name, lambda value, hook: seen.update({name: value})  # hook.name is that of TransformerLens's alias

    def embed(value: torch.Tensor, hook: Any) -> torch.Tensor:
        return torch.cat([change.embedding(value[:, :LAST]), value[:, LAST:]], dim=1)

    def edit_post(value: torch.Tensor, hook: Any) -> torch.Tensor:
        return torch.cat([value[:, :LAST], post(value[:, LAST])[:, None]], dim=1)

    def only_mlp(value: torch.Tensor, hook: Any) -> torch.Tensor:
        return seen[MLP_OUT]

    hooks: list[tuple[str, Callable[..., Any]]] = [("hook_embed", embed)] if change.embedding else []
    hooks += [] if change.heads else [("blocks.0.attn.hook_z", lambda value, hook: torch.zeros_like(value))]
    hooks += [(POST, edit_post)] if post else []
    hooks += [see(PRE), see(POST), see(MLP_OUT)]
    hooks += [] if change.skip else [(RESID_POST, only_mlp)]
    with torch.no_grad():
        logits = bridge.run_with_hooks(transformer.tokens(model.task), fwd_hooks=hooks)
    return Activations(seen[PRE][:, LAST], seen[POST][:, LAST], logits[:, LAST])


def over_pairs(make: Callable[..., Edit], task: Task, frequencies: Sequence[int]) -> Edit:
    """An edit of ``post``: each neuron's p² values kept or removed along cos w_k s and sin w_k s of these k."""
    # [2 |K|, p²]: each s is the sum of p pairs
    directions = basis(task.p)[rows(frequencies)][:, task.labels()] / task.p**0.5
    return lambda post: make(post.mean(0)[:, None], directions)(post.T).T


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
    ablation = losses.Ablation.of(model)
    kept = by_hooks(model, Intervention(), over_pairs(keep, model.task, KEYS)).logits
    removed = by_hooks(model, Intervention(), over_pairs(remove, model.task, KEYS)).logits
    torch.testing.assert_close(kept, ablation.restricted(KEYS), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(removed, ablation.excluded(KEYS), atol=1e-10, rtol=1e-10)


def test_without_the_skip_only_neurons_and_output_biases_reach_the_logits(model):
    silent = by_hooks(model, Intervention(skip=False), post=torch.zeros_like).logits
    biases = model.weights["blocks.0.mlp.b_out"] @ model.weights[names.W_U] + model.weights["unembed.b_U"]
    torch.testing.assert_close(silent, biases.expand_as(silent), atol=1e-10, rtol=1e-10)


def test_the_equals_token_is_not_ablated(model):
    """Only a and b lose components: with constant embeddings of both, every pair gives the same logits."""
    constant = by_hooks(model, Intervention(embedding=pca(model.W_E).keep([])))
    torch.testing.assert_close(constant.logits, constant.logits[:1].expand_as(constant.logits))


def test_without_heads_every_pair_has_the_same_logits_and_a_loss_of_log_p_at_least(model):
    """So "the heads are needed" holds of any weights."""
    logits = by_hand(model, Intervention(heads=False)).logits
    torch.testing.assert_close(logits, logits[:1].expand_as(logits))
    assert losses.mean_loss(logits, model.labels) >= math.log(model.task.p) - 1e-12


def test_an_mlp_has_no_skip_to_ablate():
    mlp = replace(RECIPES["modadd-mlp"], task=Task(11), d_model=8, d_mlp=8)
    with pytest.raises(NotEvaluable, match="only for transformers"):
        by_hand(network(weights.initial(mlp), mlp.task), Intervention(skip=False))


def test_random_directions_are_orthonormal_and_fixed_by_their_seed():
    directions = random_directions(12, rank=3, draws=4, seed=1)
    torch.testing.assert_close(directions @ directions.mT, torch.eye(3, dtype=torch.float64).expand(4, 3, 3))
    assert torch.equal(directions, random_directions(12, rank=3, draws=4, seed=1))
    assert not torch.equal(directions, random_directions(12, rank=3, draws=4, seed=2))
