import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from grok.errors import GrokError
from grok.recipe import RECIPES, Recipe
from grok.suite.subject import Checkpoint
from grok.suite.subjects import Subjects


@pytest.fixture
def fixtures(tmp_path):
    for name in (
        "modadd-mlp/seed0",
        "modadd-mlp/seed2",
        "modadd-mlp/seed10",
        "modadd-mlp/seed_old",
        "modadd-mlp-wd0/seed0",
    ):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def names(subjects):
    return [(s.name.removeprefix("modadd-mlp"), s.role) for s in subjects]


UNTRAINED = [(f"/untrained-seed{i}", "control") for i in range(10)]
RIVALS = [("/number-line", "rival"), ("/all-frequencies", "rival")]
OTHERS = [*UNTRAINED, *((f"/memorised-seed{i}", "control") for i in (0, 2, 10)), *RIVALS]


@pytest.mark.parametrize(("seeds", "trained"), [("canonical", ["0"]), ("all", ["0", "2", "10"]), ("2,7", ["2", "7"])])
def test_trained_seeds_then_controls_then_rivals(fixtures, seeds, trained):
    subjects = Subjects(fixtures, seeds)
    of_model, of_run = subjects.of_model("modadd-mlp"), subjects.of_run("modadd-mlp")
    expected = [(f"/seed{seed}", "trained") for seed in trained]
    assert names(of_model) == expected + OTHERS
    assert names(of_run) == [*expected, ("-wd0/seed0", "control")]
    drawn = {s.folder for s in of_model if s.name.split("/")[1].startswith(("untrained", "number"))}
    assert drawn == {fixtures / "modadd-mlp" / "seed0"}
    assert of_model[0] is of_run[0], "one object, loaded once, for claims about the network and about the run"


def test_checkpoints_take_the_place_of_trained_models(fixtures):
    mine = Checkpoint("mine.pt", "modadd-mlp", (), None, "digest")
    subjects = Subjects(fixtures, checkpoints=(mine,))
    assert names(subjects.of_model("modadd-mlp")) == [("mine.pt", "checkpoint"), *OTHERS]
    assert subjects.of_run("modadd-mlp") == subjects.of_model(None) == (mine,)


def test_rivals_have_the_neurons_of_the_users_recipe(fixtures):
    for recipe in (RECIPES["modadd-mlp"], replace(RECIPES["modadd-mlp"], activation="gelu")):
        rival = next(s for s in Subjects(fixtures).of_model("modadd-mlp") if s.name == "modadd-mlp/number-line")
        rival._fixture = SimpleNamespace(recipe=recipe)
        assert rival.network.activation == recipe.activation
        rival.drop()


def test_what_is_not_there_is_told_when_asked_for():
    subject = Subjects(Path("nowhere")).of_model("modadd-mlp")[0]
    with pytest.raises(GrokError, match="nowhere/modadd-mlp/seed0"):
        subject.network  # noqa: B018
    assert subject.about() == {}


def test_seeds_are_compared_in_groups(fixtures):
    trained, untrained, memorised, *rivals = Subjects(fixtures).of_seeds("modadd-mlp")
    assert [(r.name, r.role, len(r.members)) for r in rivals] == [
        ("modadd-mlp/number-line-seeds", "rival", 3),
        ("modadd-mlp/all-frequencies-seeds", "rival", 3),
    ]
    assert [s.name for s in trained.members] == [f"modadd-mlp/seed{i}" for i in (0, 2, 10)]
    assert (trained.role, untrained.role, memorised.role) == ("trained", "control", "control")
    assert (len(untrained.members), len(memorised.members)) == (10, 3)


def test_runs_of_the_users_have_their_own_controls(tmp_path):
    (tmp_path / "modadd-mlp" / "seed5").mkdir(parents=True)
    subjects = Subjects(tmp_path, "5")
    of_model = names(subjects.of_model("modadd-mlp"))
    assert of_model[0] == ("/seed5", "trained")
    assert ("/memorised-seed5", "control") in of_model
    assert ("/untrained-seed5", "control") in of_model
    assert names(subjects.of_run("modadd-mlp")) == [("/seed5", "trained")]


def _card(folder: Path, recipe: Recipe, roles: dict[str, int]) -> None:
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"recipe": recipe.to_json(), "checkpoints": roles}))


def test_a_run_that_never_memorised_has_no_such_control(tmp_path):
    recipe = replace(RECIPES["modadd-mlp"], weight_decay=0.3)
    _card(tmp_path / "modadd-mlp" / "seed0", recipe, {"initial": 0})
    subjects = Subjects(tmp_path)
    assert ("/memorised-seed0", "control") not in names(subjects.of_model("modadd-mlp"))
    assert ("/memorised-seeds", "control") not in names(subjects.of_seeds("modadd-mlp"))


def test_a_run_that_is_not_finished_is_no_subject(tmp_path):
    _card(tmp_path / "modadd-mlp" / "seed5", replace(RECIPES["modadd-mlp"], seed=5), {"memorised": 100})
    for seed in (0, 3):
        (tmp_path / "modadd-mlp" / f"seed{seed}" / "work").mkdir(parents=True)
    of_model = names(Subjects(tmp_path, "all").of_model("modadd-mlp"))
    assert of_model[:2] == [("/seed5", "trained"), ("/untrained-seed5", "control")]
    assert [name for name, _ in of_model if "memorised" in name] == ["/memorised-seed5"]


@pytest.mark.parametrize(("right", "there"), [(1.0, True), (0.99, False), (None, False)])
def test_a_trained_pizza_is_a_rival_if_it_is_right_on_all_pairs(tmp_path, right, there):
    (tmp_path / "pizza-b" / "seed0").mkdir(parents=True)
    if right is not None:
        (tmp_path / "pizza-a" / "seed0").mkdir(parents=True)
        card = {"train_accuracy": 1.0, "test_accuracy": right}
        (tmp_path / "pizza-a" / "seed0" / "card.json").write_text(json.dumps(card))
    found = [s for s in Subjects(tmp_path).of_model("pizza-b") if "/trained-" in s.name]
    expected = [("pizza-b/trained-pizza-a", tmp_path / "pizza-a" / "seed0")] if there else []
    assert [(s.name, s.folder) for s in found] == expected
