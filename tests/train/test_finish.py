"""A finished run becomes a fixture: which checkpoints are kept, what the card says, and one folder a seed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grok.errors import GrokError
from grok.models import matrices as weights
from grok.recipe import RECIPES, Recipe, memorising
from grok.store.fixture import load_fixture
from grok.task import Task
from grok.train import finish, run
from grok.train.state import Settings, State

TINY = replace(RECIPES["modadd-mlp"], task=Task(7), steps=230, d_model=8, d_mlp=16, train_frac=0.6)


def _trained(recipes: list[Recipe], work: Path) -> State:
    return run.train(recipes, work, progress=False)


def _columns(train: list[float], test: list[float], accuracy: list[float]) -> dict:
    return {"train_loss": train, "test_loss": test, "test_accuracy": accuracy}


def test_the_fixture_holds_the_run(tmp_path: Path):
    state = _trained([TINY], tmp_path / "work")
    [folder] = finish.finish(tmp_path / "work", tmp_path / "modadd-mlp" / "seed0", progress=False)
    read = load_fixture(folder)
    assert read.recipe == TINY
    assert read.run.steps == [0, 100, 200, 230]
    assert read.card["test_loss"] == read.run.columns["test_loss"][-1] == float(state.test_loss[0, 230])
    assert read.run.columns["train_loss"][1] == float(state.train_loss[0, 100])
    final = weights.views(state.flat[0], TINY)
    assert all(torch.equal(read.network().weights[name], w.double()) for name, w in final.items())
    assert all(
        torch.equal(read.network("initial").weights[name], w.double()) for name, w in weights.initial(TINY).items()
    )
    assert torch.equal(read.network().train, TINY.split().train)


@pytest.mark.parametrize("engine", ["manual", "folded", "definition"])
def test_the_same_run_gives_the_same_bits_as_the_card_says(tmp_path: Path, engine: str):
    sizes = {"d_model": 8, "d_mlp": 16, "n_heads": 2, "d_head": 4}
    recipe = replace(RECIPES["modsub-transformer"], task=Task(7, "sub_mod"), steps=20, **sizes)
    read = []
    for name in ("once", "again"):
        work = tmp_path / name / "work"
        run.train([recipe], work, Settings(engine=engine), progress=False)
        [folder] = finish.finish(work, tmp_path / name / recipe.name / "seed999", progress=False)
        read.append(load_fixture(folder))
    assert read[0].card["sha256"] == read[1].card["sha256"]
    assert read[0].card["determinism"].startswith("same bits on the same machine")


def test_a_batch_gives_a_folder_for_each_seed(tmp_path: Path):
    recipes = [TINY, TINY.with_seed(4)]
    state = _trained(recipes, tmp_path / "work")
    folders = finish.finish(tmp_path / "work", tmp_path / "modadd-mlp", progress=False)
    assert [f.name for f in folders] == ["seed0", "seed4"]
    for i, (folder, recipe) in enumerate(zip(folders, recipes, strict=True)):
        read = load_fixture(folder)
        assert read.recipe == recipe
        assert torch.equal(read.weights[230]["W_E"], weights.views(state.flat[i], recipe)["W_E"])


def test_an_unfinished_run_is_refused(tmp_path: Path):
    _trained([TINY], tmp_path)
    described = json.loads((tmp_path / "run.json").read_text())
    described["recipes"][0]["steps"] = 500
    (tmp_path / "run.json").write_text(json.dumps(described))
    with pytest.raises(GrokError, match="step 230 of 500"):
        finish.finish(tmp_path, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_memorised_is_the_first_snapshot_after_memorising_and_before_half_the_accuracy():
    columns = _columns([3, 1e-5, 1e-6, 1e-6, 1e-6, 1e-6], [3, 9, 5, 2, 5e-3, 1e-3], [0.0, 0.1, 0.2, 0.6, 1.0, 1.0])
    roles, notes = finish.choose(TINY, [0, 100, 200, 300, 400, 500], columns)
    assert roles == {"initial": 0, "memorised": 100}
    assert notes == []


def test_a_checkpoint_past_the_interval_is_noted():
    columns = _columns([3, 1e-2, 1e-5, 1e-6], [3, 2, 2, 1e-3], [0.0, 0.6, 0.55, 1.0])
    roles, notes = finish.choose(TINY, [0, 100, 200, 300], columns)
    assert roles["memorised"] == 200
    assert "test accuracy 0.550" in notes[0]


def test_no_memorised_checkpoint_is_invented():
    grokked_at_once = _columns([3, 1e-3, 1e-5], [3, 1e-3, 1e-3], [0.0, 1.0, 1.0])
    roles, notes = finish.choose(TINY, [0, 100, 200], grokked_at_once)
    assert roles == {"initial": 0}
    assert "no memorised checkpoint" in notes[0]


def test_a_control_run_keeps_its_final_model_only():
    columns = _columns([3, 1e-5], [3, 9], [0.0, 0.1])
    assert finish.choose(memorising(TINY), [0, 100], columns) == ({}, [])
