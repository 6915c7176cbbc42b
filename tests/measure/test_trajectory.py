import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from grok.errors import NotEvaluable
from grok.measure import embedding, logits, losses, trajectory
from grok.models import matrices as weights
from grok.models import names
from grok.models.architectures import network
from grok.recipe import get_recipe, matched_count
from grok.task import Task
from grok.train import record

FIXTURES = Path(__file__).parents[2] / "fixtures"
STEPS = [0, 100, 200, 300, 400]


def small(name: str):
    """A recipe small enough to write a trajectory for in no time."""
    recipe = get_recipe(name)
    return replace(recipe, task=replace(recipe.task, p=13 if recipe.task.modular else 5), d_model=16, d_mlp=24)


def snapshots_with_keys(recipe, keys=(2, 5)):
    """Two snapshots; the readout of the second one lives on ``keys``."""
    start = weights.initial(recipe)
    end = {name: w.clone() for name, w in start.items()}
    out = "W_U" if recipe.architecture == "mlp" else names.W_U
    waves = torch.stack([f(2 * math.pi * k / 13 * torch.arange(13)) for k in keys for f in (torch.cos, torch.sin)])
    end[out] = torch.randn(end[out].shape[0], len(waves), generator=torch.Generator().manual_seed(1)) @ waves
    return np.stack([weights.flatten(w, recipe).numpy() for w in (start, end)]), (start, end)


@pytest.mark.parametrize("name", ["modadd-mlp", "modadd-transformer", "modsub-transformer"])
def test_columns_agree_with_the_float64_definition(name):
    recipe = small(name)
    flat, both = snapshots_with_keys(recipe)
    keys, columns = record.columns(recipe, flat, [0, 100], [3.0, 1.0], [3.0, 2.0])
    assert (keys.frequencies, keys.by_rank) == ((2, 5), False)
    keys = keys.frequencies
    assert (columns["train_loss"], columns["test_loss"]) == ([3.0, 1.0], [3.0, 2.0])
    for i, matrices in enumerate(both):
        model = network(matrices, recipe.task, recipe.split())
        cut = losses.Ablation(model.logits, model.skip_logits, model.labels)
        expected = {
            "train_accuracy": losses.accuracy(model.logits, model.labels, model.train),
            "test_accuracy": losses.accuracy(model.logits, model.labels, model.test),
            "key_cos2": logits.formula(model.logits, model.labels, keys).fve_uncentred,
            "restricted_loss": losses.mean_loss(cut.restricted(keys), model.labels, model.test),
            "excluded_loss": losses.mean_loss(cut.excluded(keys), model.labels, model.train),
            "weight_norm": math.sqrt(sum(w.double().square().sum() for w in matrices.values())),
            "gini_W_E": embedding.gini(embedding.fourier_norms(model.W_E)),
            "gini_U": embedding.gini(embedding.fourier_norms(model.U, dim=1)),
        }
        for column, value in expected.items():
            assert columns[column][i] == pytest.approx(value, rel=1e-4), column


def test_without_a_gap_the_progress_columns_are_of_the_strongest_frequencies():
    recipe = replace(small("modsub-transformer"), task=Task(13, "sub_mod"))  # 4 of 6 frequencies
    initial = weights.initial(recipe)
    model = network(initial, recipe.task, recipe.split())
    flat = weights.flatten(initial, recipe)[None].numpy()
    keys, columns = record.columns(recipe, flat, [0], [1.0], [1.0])
    norms = embedding.fourier_norms(model.U, dim=1)
    assert keys.by_rank
    assert keys.frequencies == tuple(sorted((norms.topk(4).indices + 1).tolist()))
    expected = logits.formula(model.logits, model.labels, keys.frequencies).fve_uncentred
    assert columns["key_cos2"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["modadd-mlp", "modadd-transformer", "modsub-transformer", "pizza-a", "pizza-b"])
def test_the_count_of_a_family_is_that_of_its_published_run(name: str):
    recipe = get_recipe(name)
    run = json.loads((FIXTURES / name / f"seed{recipe.seed}" / "trajectory.json").read_text())
    assert matched_count(recipe.architecture, recipe.task) == len(run["key_frequencies"])


def test_a_family_without_a_count_has_no_progress_columns(monkeypatch):
    recipe = small("modadd-mlp")
    monkeypatch.setattr(record, "matched_count", lambda architecture, task: None)
    flat = weights.flatten(weights.initial(recipe), recipe)[None].numpy()
    keys, columns = record.columns(recipe, flat, [0], [1.0], [1.0])
    assert keys is None
    assert columns["key_cos2"] == columns["restricted_loss"] == columns["excluded_loss"] == [None]
    assert columns["gini_U"][0] is not None
    with pytest.raises(NotEvaluable):
        trajectory.risen([0], columns["key_cos2"])


def test_plain_addition_has_losses_accuracies_and_norm_only():
    recipe = small("add-transformer")
    flat = weights.flatten(weights.initial(recipe), recipe)[None].numpy()
    keys, columns = record.columns(recipe, flat, [0], [1.0], [1.0])
    assert keys is None
    assert set(columns) == set(record.EVERY)


def test_every_recipe_gets_a_column_entry_per_step_or_an_error():
    recipe = small("modadd-mlp")
    flat = weights.flatten(weights.initial(recipe), recipe)[None].numpy()
    with pytest.raises(ValueError, match="2 steps"):
        record.columns(recipe, flat, [0, 100], [1.0, 1.0], [1.0, 1.0])


def test_crossings_of_written_curves():
    assert trajectory.first_below(STEPS, [5.0, 0.5, 0.01, 1e-3, 1e-4], 0.01) == 200
    assert trajectory.risen(STEPS, [0.0, 0.1, 0.3, 0.5, 0.6]) == 200
    # from 10 at step 100 down to 1e-7: half of eight decades is 1e-3, a tenth 10^0.2
    loss = [4.0, 10.0, 1.0, 1e-3, 1e-7]
    assert [trajectory.fallen(STEPS, loss, share) for share in (0.1, 0.5, 0.9)] == [200, 300, 400]
    assert trajectory.at_step(STEPS, loss, 300) == 1e-3


def test_a_loss_that_rises_to_its_end_has_fallen_only_there():
    assert trajectory.fallen(STEPS, [1.0, 2.0, 3.0, 4.0, 5.0]) == 400


def test_what_never_happens_is_not_evaluable():
    with pytest.raises(NotEvaluable, match="never"):
        trajectory.first_below(STEPS, [5.0] * 5, 0.01)
    with pytest.raises(NotEvaluable, match="step 1500"):
        trajectory.at_step(STEPS, [5.0] * 5, 1500)


def test_phases_of_a_written_run():
    found = trajectory.phases(STEPS, [5.0, 1e-3, 1e-6, 1e-7, 1e-7], [40.0, 30.0, 1.0, 1e-5, 1e-7])
    assert (found.memorised, found.circuit, found.cleanup) == (100, 200, 400)
