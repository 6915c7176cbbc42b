"""GELU neurons in place of ReLU: one function in the definition, the engine, the network and the tables of a run."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grok import cli
from grok.errors import GrokError, NotEvaluable
from grok.measure import losses
from grok.measure.bounds import logit_bounds
from grok.measure.certificate import certify
from grok.models import matrices
from grok.models.architectures import network
from grok.models.hooked import definition
from grok.notebook.model import load
from grok.recipe import GELU, RECIPES, Recipe
from grok.store.fixture import load_fixture
from grok.task import Task
from grok.train.engines import engine, folded
from grok.train.snapshot import Pairs, Snapshot
from grok.train.state import State

NAMES = ("modadd-mlp", "modadd-transformer")
TINY = ("p=7", "d_model=4", "d_mlp=6", "train_frac=0.6")


def _recipe(name: str) -> Recipe:
    heads = {"n_heads": 2, "d_head": 3} if RECIPES[name].n_heads else {}
    sizes = {"d_model": 6, "d_mlp": 11, **heads}
    return replace(RECIPES[name], task=Task(7), train_frac=0.6, activation=GELU, **sizes)


def _grok(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(map(str, arguments)))
    return ended.value.code


@pytest.mark.parametrize("name", NAMES)
def test_definition_network_engine_and_tables_are_one_function(name: str):
    recipe = _recipe(name)
    task, split = recipe.task, recipe.split()
    given = {key: 3 * w.double() for key, w in matrices.initial(recipe).items()}
    expected = definition.logits(definition.hooked(given, task, GELU), task).detach()
    assert not torch.allclose(expected, definition.logits(definition.hooked(given, task), task))

    found = network(given, task, split, activation=GELU)
    torch.testing.assert_close(found.logits, expected)
    torch.testing.assert_close(found.post, found.pre * torch.special.ndtr(found.pre))

    stacked = {key: w[None] for key, w in given.items()}
    batch = task.pairs()[None, split.train], task.labels()[None, split.train]
    (loss,), grads = folded.loss_and_grads(stacked, *batch, recipe)
    of_definition, expected_grads = definition.loss_and_grads(given, task, split.train, activation=GELU)
    torch.testing.assert_close(loss, of_definition)
    torch.testing.assert_close({key: g[0] for key, g in grads.items()}, expected_grads)

    snapshot = Snapshot(given, Pairs.of(recipe, split))
    assert snapshot.loss(snapshot.test) == pytest.approx(losses.mean_loss(found.logits, found.labels, split.test))


@pytest.mark.parametrize("name", NAMES)
def test_training_is_that_of_the_definition(name: str, monkeypatch):
    recipe = _recipe(name)
    state = State.fresh([recipe], "cpu")
    stepper = engine.make([recipe], engine.default(recipe, "cpu"), state)
    for value, given in definition.train(matrices.initial(recipe), recipe, 20):
        assert float(stepper.advance()) == pytest.approx(value, rel=1e-5)
        torch.testing.assert_close(state.flat[0], matrices.flatten(given, recipe), rtol=1e-3, atol=1e-5)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    for other in ("manual", "triton"):
        with pytest.raises(GrokError, match=rf"^[^\n]*{name} has gelu: --engine folded$"):
            engine.make([recipe], other, state)


@pytest.mark.parametrize("name", NAMES)
def test_rounding_is_certified_for_relu_only(name: str):
    recipe = _recipe(name)
    model = network(matrices.initial(recipe), recipe.task, activation=GELU)
    for bound in (certify, logit_bounds):
        with pytest.raises(NotEvaluable, match="for relu neurons, these are gelu"):
            bound(model)


def test_a_trained_network_keeps_its_neurons(tmp_path: Path, monkeypatch, capsys):
    """In its card, when it is verified, in TransformerLens, and converted to a file that no card stands beside."""
    monkeypatch.chdir(tmp_path)
    settings = [part for value in (*TINY, "activation=gelu") for part in ("--set", value)]
    assert _grok("train", "modadd-mlp", *settings, "--steps", 300) == 0
    folder = Path("runs/modadd-mlp/seed0")
    trained = load_fixture(folder)
    assert (trained.recipe.activation, trained.card["engine"]) == (GELU, "folded")
    assert _grok("verify", folder, "--claims", "K1,K11,K14") == 0
    told = capsys.readouterr().out
    assert "activation = gelu (published relu)" in told
    assert "no certificate: the error analysis is for relu neurons, these are gelu" in told

    model = load(folder)
    recorded = model.trajectory["train_loss"][-1]
    assert losses.mean_loss(model.network.logits, model.network.labels, model.network.train) == pytest.approx(recorded)
    hooked = model.hooked(torch.float64)(model.tokens())
    torch.testing.assert_close(hooked, model.network.logits)

    assert _grok("convert", folder, "--out", "alone.safetensors") == 0
    alone = load("alone.safetensors", recipe="modadd-mlp")
    assert "its neurons are gelu, as the file says" in alone.notes
    assert torch.equal(alone.network.logits, model.network.logits)


@pytest.mark.parametrize("recipe", ["quad-mlp", "c113-mlp", "pizza-a"])
def test_other_architectures_have_no_choice(recipe: str, capsys):
    assert _grok("train", recipe, "--set", "activation=gelu") == 2
    assert "leaves no choice of it" in capsys.readouterr().err


@pytest.mark.parametrize(("said", "read"), [("gelu", GELU), ("relu", "relu"), ("gelu_new", None)])
def test_a_configuration_beside_the_weights_says_what_the_neurons_are(said: str, read: str | None, tmp_path: Path):
    recipe = _recipe("modadd-transformer")
    path = tmp_path / "model.pt"
    torch.save({"model": matrices.initial(recipe), "config": {"n_layers": 1, "act_fn": said}}, path)
    if read is None:
        with pytest.raises(GrokError, match="act_fn = gelu_new, expected relu or gelu for a transformer"):
            load(path, recipe=recipe.name)
    else:
        assert load(path, recipe=recipe.name).network.activation == read


def test_a_list_of_checkpoints_says_it_too(tmp_path: Path):
    recipe, path = _recipe("modadd-transformer"), tmp_path / "run.pt"
    one = {"model": matrices.initial(recipe), "config": {"act_fn": "gelu"}}
    torch.save([one, one], path)
    assert load(path, recipe=recipe.name, index=-1).network.activation == GELU


def test_a_recipe_with_the_published_neurons_is_written_as_before():
    assert all("activation" not in recipe.to_json() for recipe in RECIPES.values())
    gelu = _recipe("modadd-mlp")
    assert Recipe.from_json(gelu.to_json()) == gelu
