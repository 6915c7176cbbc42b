"""A fixture is written whole and read only if it is whole; every damage is told in two lines."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from grok.errors import GrokError
from grok.models import matrices as weights
from grok.recipe import RECIPES, Recipe
from grok.store.fixture import CARD, CONTENTS, MODEL, load_fixture, save_fixture
from grok.task import Task

TINY = replace(RECIPES["modadd-mlp"], task=Task(7), steps=200, d_model=8, d_mlp=16)
COLUMNS = {"train_loss": [3.0, None, 1e-7]}
TRAJECTORY = {"schema": 1, "steps": [0, 100, 200], "key_frequencies": [2, 3], "columns": COLUMNS}


def write(folder: Path, recipe: Recipe = TINY, final: weights.Weights | None = None) -> Path:
    initial = weights.initial(recipe)
    final = final or {name: w * 2 for name, w in initial.items()}
    save_fixture(folder, recipe, final, {0: initial}, {"initial": 0}, TRAJECTORY, {"device": "cpu"})
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "modadd-mlp" / "seed0")


def test_what_is_saved_is_read(folder: Path):
    read = load_fixture(folder)
    initial = weights.initial(TINY)
    assert read.recipe == TINY
    assert read.roles == {"initial": 0, "final": 200}
    assert torch.equal(read.network("initial").U, initial["W_U"].double())
    assert torch.equal(read.network().U, initial["W_U"].double() * 2)
    assert read.network(200) is read.network("final")
    assert read.run.columns == COLUMNS
    assert read.run.key_frequencies == (2, 3)
    assert sorted(p.name for p in folder.iterdir()) == sorted([CARD, *CONTENTS])


def test_an_unknown_checkpoint_lists_the_known(folder: Path):
    with pytest.raises(GrokError, match=r"no checkpoint 'grok'; it holds initial \(0\), final \(200\)"):
        load_fixture(folder).network("grok")


def test_the_weights_do_not_share_memory_with_the_callers(tmp_path: Path):
    """The trainer's weights are views into one flat row, which safetensors would refuse."""
    flat = weights.flatten(weights.initial(TINY), TINY)
    folder = write(tmp_path / "seed0", final=weights.views(flat, TINY))
    assert torch.equal(load_fixture(folder).network().W_E, weights.initial(TINY)["W_E"].double())


def _flip(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    return damage


def _reseal(folder: Path, final: weights.Weights) -> None:
    """The same fixture with other weights, and a card that agrees with them."""
    save_fixture(folder, TINY, final, {0: weights.initial(TINY)}, {"initial": 0}, TRAJECTORY, {"device": "cpu"})


def _nan(folder: Path) -> None:
    final = load((folder / MODEL).read_bytes())
    final["W_in"][3, 3] = torch.nan
    _reseal(folder, final)


def _shape(folder: Path) -> None:
    _reseal(folder, {name: w[:3] for name, w in load((folder / MODEL).read_bytes()).items()})


def _missing_matrix(folder: Path) -> None:
    _reseal(folder, {"W_E": load((folder / MODEL).read_bytes())["W_E"]})


def _other_seed(folder: Path) -> None:
    write(folder, TINY.with_seed(3))


def _other_recipe(folder: Path) -> None:
    write(folder, replace(TINY, name="modadd-transformer"))


DAMAGES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    **{f"a byte of {name}": (_flip(name), name, "sha256 is") for name in CONTENTS},
    "a byte of the card": (_flip(CARD), CARD, "do not give the digest"),
    **{f"no {name}": ((lambda f, n=name: (f / n).unlink()), name, "No such file") for name in (*CONTENTS, CARD)},
    "NaN": (_nan, MODEL, "W_in holds NaN"),
    "another shape": (_shape, MODEL, r"W_E is torch.float32 \[3, 8\], expected float32 \[7, 8\]"),
    "a missing matrix": (_missing_matrix, MODEL, "W_U, W_in"),
    "another seed": (_other_seed, CARD, "modadd-mlp, seed 3, not what the folder is named"),
    "another recipe": (_other_recipe, CARD, "modadd-transformer, seed 0, not what"),
    "no folder": (lambda f: f.rename(f.with_name("gone")), "seed0", "no such fixture"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_with_the_file_and_the_command(folder: Path, damage: str):
    do, name, reason = DAMAGES[damage]
    do(folder)
    with pytest.raises(GrokError, match=reason) as refusal:
        load_fixture(folder)
    told, command = str(refusal.value).splitlines()
    assert name in told
    assert f"grok train modadd-mlp --seed 0 --out {folder}" in command


def test_a_trajectory_that_is_no_json_replaces_nothing(folder: Path):
    bad = TRAJECTORY | {"columns": {"train_loss": [float("nan")] * 3}}
    with pytest.raises(ValueError, match="Out of range float"):
        save_fixture(folder, TINY, weights.initial(TINY), {}, {}, bad, {})
    assert load_fixture(folder).run.columns == COLUMNS


def test_the_card_is_plain_json(folder: Path):
    card = json.loads((folder / CARD).read_text())
    assert Recipe.from_json(card["recipe"]) == TINY
    assert set(card["sha256"]) == set(CONTENTS)


def test_a_checkpoints_step_that_the_card_names_must_be_there(tmp_path: Path):
    initial = weights.initial(TINY)
    save_fixture(tmp_path / "a", TINY, initial, {0: initial}, {"initial": 0, "grok": 100}, TRAJECTORY, {})
    with pytest.raises(GrokError, match="lacks the checkpoints grok"):
        load_fixture(tmp_path / "a")


def test_float64_is_stored_as_float32(tmp_path: Path):
    double = {name: w.double() for name, w in weights.initial(TINY).items()}
    stored = load((write(tmp_path / "a", final=double) / MODEL).read_bytes())
    assert {w.dtype for w in stored.values()} == {torch.float32}
