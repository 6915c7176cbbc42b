"""``grok verify`` of networks that were trained on other groups: what has no meaning there is told in a line."""

from dataclasses import replace
from pathlib import Path

import pytest

from grok import cli
from grok.recipe import RECIPES, Recipe
from grok.store.checkpoint import load
from grok.task import Task
from grok.train import finish, run
from grok.train.state import Settings

D_59, A_5 = Task(59, "dihedral"), Task(5, "alternating")
NARROW = {"d_model": 16, "d_mlp": 24}


def trained(folder: Path, recipe: Recipe) -> Path:
    run.train([recipe], folder / "work", Settings(eval_every=100), progress=False)
    finish.finish(folder / "work", folder, progress=False)
    return folder


@pytest.mark.parametrize("task", [D_59, A_5], ids=str)
@pytest.mark.parametrize("name", ["s5-mlp", "pizza-a"])
def test_a_network_of_another_group_is_trained_and_verified(
    name: str, task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    recipe = replace(RECIPES[name], name="mine", task=task, steps=200, **NARROW)
    folder = trained(tmp_path / "mine" / "seed0", recipe)
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", str(folder)])
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert "no source makes claims about such a model" in told.err
    assert f"its card: {task.operation} with p = {task.p}" in told.out
    if name == "s5-mlp":
        assert "as Chughtai et al. 2023 measure it" in told.out
    else:
        assert "distance irrelevance not evaluated: distance is defined for addition and subtraction" in told.out
        assert "circularity not evaluated: frequencies are defined for an odd number of elements" in told.out


def test_the_task_of_a_run_is_that_of_its_card_though_the_network_has_learned_nothing(tmp_path: Path):
    recipe = replace(RECIPES["s5-mlp"], name="mine", task=A_5, steps=1, **NARROW)
    loaded = load(trained(tmp_path / "mine" / "seed0", recipe))
    assert (loaded.network.task, loaded.recipe_name) == (A_5, None)
