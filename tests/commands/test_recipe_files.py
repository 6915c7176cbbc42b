"""``grok train --recipe-file``: a recipe in a file, a group of one's own, and what is refused."""

from pathlib import Path

import pytest
import torch

from grok import cli
from grok.groups import tables
from grok.store.checkpoint import load
from grok.store.fixture import load_fixture
from grok.task import Task
from grok.train import fields


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _grok(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(map(str, arguments)))
    return ended.value.code


def test_a_recipe_file_of_a_group_of_ones_own():
    """Z_7 with its elements renamed, so that it is none of the groups that are tried on a model's answers."""
    order = torch.tensor([3, 0, 5, 1, 6, 2, 4])
    numbers = order.argsort()
    table = order[(numbers[:, None] + numbers) % 7]
    (Path("there")).mkdir()
    Path("there/group.csv").write_text(tables.text(table))
    Path("there/my.toml").write_text(
        'base = "modadd-mlp"\nname = "mine"\ntable = "group.csv"\n'
        "steps = 20\ntrain_frac = 0.6\nd_model = 4\nd_mlp = 6\nseed = 3\n"
    )
    assert _grok("train", "--recipe-file", "there/my.toml", "--device", "cpu", "--set", "d_mlp=8") == 0
    loaded = load(Path("runs/mine/seed3"))
    assert loaded.network.task.table().tolist() == table.tolist()
    assert loaded.network.weights["W_in"].shape == (4, 8)
    assert load_fixture(Path("runs/mine/seed3")).recipe.split_seed == 3
    assert loaded.recipe_name is None  # no claims are made about it


def test_a_table_that_is_no_groups_is_told_with_its_place(capsys: pytest.CaptureFixture[str]):
    table = tables.dihedral(4).clone()  # it is made once and kept
    table[3, 4] = 0
    Path("bad.csv").write_text(tables.text(table))
    Path("my.toml").write_text('base = "modadd-mlp"\nname = "mine"\ntable = "bad.csv"\n')
    assert _grok("train", "--recipe-file", "my.toml") == 2
    assert capsys.readouterr().err == "grok: my.toml: bad.csv: not associative: (1∘2)∘4 = 0, 1∘(2∘4) = 7\n"


WHOLE = """name = "mine"
architecture = "transformer"
operation = "sub_mod"
p = 7
steps = 5
train_frac = 0.5
"""


def test_a_sweep_takes_a_recipe_file(capsys: pytest.CaptureFixture[str]):
    Path("my.toml").write_text(WHOLE)
    arguments = ("--set", "p=7,11", "--seeds", "0-2", "--device", "cpu", "--workers", 1, "--dry-run", "--out", "out")
    assert _grok("sweep", "--recipe-file", "my.toml", *arguments) == 0
    assert capsys.readouterr().out.startswith("mine: 6 runs, 2 settings; 0 done, 6 to do")


def test_a_recipe_file_without_a_base():
    Path("my.toml").write_text(WHOLE)
    recipe = fields.from_file(Path("my.toml"))
    assert (recipe.name, recipe.architecture, recipe.task) == ("mine", "transformer", Task(7, "sub_mod"))
    Path("my.toml").write_text(WHOLE.replace("transformer", "mlp"))
    assert (fields.from_file(Path("my.toml")).n_heads, fields.from_file(Path("my.toml")).d_head) == (0, 0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (WHOLE.replace("steps = 5\n", ""), "no steps; give base"),
        (WHOLE + "colour = 1", "unknown field 'colour'"),
        (WHOLE + 'lr = "fast"', "lr = 'fast', expected number"),
        (WHOLE + "n_heads = true", "n_heads = True, expected whole number"),
        (WHOLE + "betas = [1, 2, 3]", "expected two numbers"),
        (WHOLE + "weight_decay = -1", "weight_decay = -1.0, expected 0 or more"),
        (WHOLE.replace('"sub_mod"', '"division"'), "operation = 'division', expected add_mod or"),
        (WHOLE.replace('"transformer"', '"lstm"'), "unknown architecture 'lstm'"),
        (WHOLE.replace('"mine"', '"../mine"'), "name = '../mine', expected letters"),
        (WHOLE.replace('"mine"', '"modadd-mlp"'), "modadd-mlp is a mlp on add_mod: give a name of its own"),
        ('base = "modadd-mlp"\noperation = "dihedral"', "give a name of its own"),
        ('base = "modadd-mlp"\nname = "x"\ntable = "none.csv"', "none.csv: it cannot be read as CSV"),
        ("base = ", "it cannot be read as TOML"),
    ],
)
def test_a_recipe_file_that_is_none(content: str, told: str, capsys: pytest.CaptureFixture[str]):
    Path("my.toml").write_text(content)
    assert _grok("train", "--recipe-file", "my.toml") == 2
    error = capsys.readouterr().err
    assert error.startswith("grok: my.toml: ")
    assert told in error
