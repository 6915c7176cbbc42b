"""The fast measures of a snapshot equal the plain ones of a Network, in float64 to rounding."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grok.measure import controls, logits, losses
from grok.measure.representations import centred, trace_similarities
from grok.models import matrices as weights
from grok.models.architectures import network
from grok.recipe import get_recipe
from grok.store.fixture import load_fixture
from grok.task import Task
from grok.train import record
from grok.train.snapshot import Pairs, Snapshot

KEYS = (2, 5)
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["modadd-mlp", "modadd-transformer", "modsub-transformer"])
def test_every_measure_equals_that_of_the_network(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("grok.models.tables.BLOCK", 50)  # 169 pairs: several blocks, the last one smaller
    recipe = get_recipe(name)
    recipe = replace(recipe, task=replace(recipe.task, p=13), d_model=16, d_mlp=23)  # rows end inside a cache line
    given = {n: 5 * w.double() for n, w in weights.initial(recipe).items()}
    fast, plain = Snapshot(given, Pairs.of(recipe, recipe.split())), network(given, recipe.task, recipe.split())
    cut = losses.Ablation(plain.logits, plain.skip_logits, plain.labels)
    torch.testing.assert_close(fast.cosine_projections, logits.cosine_projections(plain.logits, plain.labels))
    torch.testing.assert_close(fast.cosine_similarities, logits.cosine_similarities(plain.logits, plain.labels))
    torch.testing.assert_close(fast.U, plain.U)
    assert torch.equal(fast.W_E, plain.W_E)
    assert fast.accuracy(fast.train) == losses.accuracy(plain.logits, plain.labels, plain.train)
    for skip in (True, False):
        expected = cut.restricted_loss(KEYS, plain.test, skip=skip)
        assert fast.restricted_loss(KEYS, skip=skip) == pytest.approx(expected, rel=1e-12)
    assert fast.excluded_loss(KEYS) == pytest.approx(cut.excluded_loss(KEYS, plain.train), rel=1e-12)


def test_a_run_whose_weights_decayed_to_nothing_has_a_trajectory():
    recipe = replace(get_recipe("modadd-mlp"), task=Task(13), d_model=16, d_mlp=23)
    row = weights.flatten(weights.initial(recipe), recipe)
    for last in (1e-9, 0.0):  # of 1e-9 the squared logits are 0 in float32, and the logits are not
        found = record.columns(recipe, torch.stack([row, last * row]).numpy(), [0, 100], [1.0] * 2, [1.0] * 2)[1]
        assert all(value is None or math.isfinite(value) for column in found.values() for value in column)


@pytest.mark.parametrize("task", [Task(13), Task(5, "dihedral"), Task(4, "alternating"), Task(4, "symmetric")], ids=str)
def test_every_measure_equals_that_of_the_network_for_any_group(task: Task):
    """Of an MLP whose inputs have embeddings of their own; a frequency is the number of a representation."""
    recipe = replace(get_recipe("s5-mlp"), task=task, d_model=16, d_mlp=23)
    given = {n: 3 * w.double() for n, w in weights.initial(recipe).items()}
    fast, plain = Snapshot(given, Pairs.of(recipe, recipe.split())), network(given, task, recipe.split())
    cut, blocks, keys = losses.Ablation.of(plain), plain.spectrum.blocks, (1, 2)
    similarities = trace_similarities(fast_centred := centred(plain.logits), plain.labels, blocks)
    scale = (
        fast_centred.norm() / plain.logits.norm()
    )  # of characters but the constant, which centring leaves as they are
    torch.testing.assert_close(fast.cosine_similarities, similarities * scale)
    assert torch.equal(fast.W_E, plain.W_E)
    assert fast.restricted_loss(keys) == pytest.approx(cut.restricted_loss(keys, plain.test), rel=1e-12)
    assert fast.excluded_loss(keys) == pytest.approx(cut.excluded_loss(keys, plain.train), rel=1e-12)
    draws = controls.random_frequencies((1,), len(blocks.sizes) - 1)
    assert cut.excluded_controls((1,), plain.train) == [cut.excluded_loss(k, plain.train) for k in draws]


def test_the_record_of_a_run_on_squared_error_has_cross_entropies():
    recipe = replace(get_recipe("quad-mlp"), task=Task(13), d_mlp=23)
    given = weights.initial(recipe)
    plain = network(given, recipe.task, recipe.split())
    _, columns = record.columns(recipe, weights.flatten(given, recipe)[None].numpy(), [0], [0.5], [0.5])
    for which, pairs in (("train", plain.train), ("test", plain.test)):
        expected = losses.mean_loss(plain.logits, plain.labels, pairs)
        assert columns[f"{which}_loss"] == [pytest.approx(expected, rel=1e-5)]
    assert columns["test_accuracy"] == [losses.accuracy(plain.logits, plain.labels, plain.test)]


def test_float32_is_enough_for_a_trained_model():
    """Losses of 1e-7 beside logits of 100: what the docstring of ``record.columns`` promises."""
    fixture = load_fixture(ROOT / "fixtures" / "modsub-transformer" / "seed999")
    recipe, plain = fixture.recipe, fixture.network()
    K = plain.key_frequencies
    fast = Snapshot({n: w.float() for n, w in plain.weights.items()}, Pairs.of(recipe, recipe.split()))
    cut = losses.Ablation(plain.logits, plain.skip_logits, plain.labels)
    expected = logits.at(logits.cosine_similarities(plain.logits, plain.labels), K).square().sum()
    assert fast.key_cos2(K) == pytest.approx(float(expected), rel=1e-4)
    assert fast.restricted_loss(K) == pytest.approx(cut.restricted_loss(K, plain.test), rel=1e-4)
    assert fast.excluded_loss(K) == pytest.approx(cut.excluded_loss(K, plain.train), rel=1e-4)
