"""``grok train``: a recipe of one's own is checked, trained, extended, listed, and read back by ``grok verify``."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from grok import cli
from grok.commands import options
from grok.store.checkpoint import load
from grok.store.fixture import load_fixture
from grok.task import Task
from grok.train import fields
from grok.train.engines import engine

ROOT = Path(__file__).parent.parent.parent
TINY = ("--set", "p=7", "--set", "d_model=4", "--set", "d_mlp=6", "--set", "train_frac=0.6")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _grok(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(map(str, arguments)))
    return ended.value.code


def _train(*arguments: object) -> int:
    return _grok("train", "modadd-mlp", *TINY, "--device", "cpu", *arguments)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != "card.json"}


def test_the_card_has_the_whole_recipe_and_it_is_read_back(capsys: pytest.CaptureFixture[str]):
    more = ("--set", "lr=0.0012345678", "--steps", 20, "--seed", 5)
    assert _train("--set", "weight_decay=0.3", "--set", "betas=0.8,0.9", *more) == 0
    recipe = load_fixture(Path("runs/modadd-mlp/seed5")).recipe
    assert (recipe.task, recipe.d_model, recipe.weight_decay, recipe.betas) == (Task(7), 4, 0.3, (0.8, 0.9))
    assert (recipe.seed, recipe.split_seed, recipe.steps) == (5, 5, 20)
    loaded = load(Path("runs/modadd-mlp/seed5"))
    assert (loaded.network.task, loaded.recipe_name) == (Task(7), "modadd-mlp")
    (told,) = [note for note in loaded.notes if note.startswith("trained with")]
    assert "weight_decay = 0.3 (published 1.0)" in told
    assert "lr = 0.00123457 (published 0.001)" in told
    assert "p = 7 (published 113)" in told
    assert "seed" not in told


def test_a_light_fixture_draws_its_initial_weights_again():
    assert _train("--steps", 20, "--seed", 5, "--light") == 0
    assert not Path("runs/modadd-mlp/seed5/work").exists()
    read = load_fixture(Path("runs/modadd-mlp/seed5"))
    assert set(read.weights) == {20}
    assert read.network("initial").W_E.shape == (7, 4)


@pytest.mark.parametrize("name", ["s5-mlp", "quad-mlp", "pizza-b"])
def test_every_kind_of_network_is_trained_by_its_name(name: str):
    assert _grok("train", name, "--device", "cpu", "--steps", 1) == 0
    (folder,) = Path("runs", name).glob("seed*")
    assert load_fixture(folder).network().architecture in {"concat", "quadratic", "pizza-b"}
    assert np.isfinite(load_fixture(folder).trajectory["columns"]["test_loss"]).all()


@pytest.mark.parametrize(
    ("recipe", "ids"),
    [("modadd-mlp", "K1,K8,P6"), ("add-transformer", "F1,F8,F9")],  # P6, F1 and F8 were errors where p is another
)
def test_the_suite_takes_a_run_with_another_recipe_and_says_what_it_changes(recipe: str, ids: str):
    """One that memorised nothing: its controls are the untrained draws, of its own recipe."""
    assert _grok("train", recipe, *TINY, "--device", "cpu", "--steps", 20, "--seed", 5) == 0
    command = [sys.executable, "-m", "pytest", str(ROOT / "claims"), "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    chosen = ["--fixture-dir", "runs", "--seeds", "5", "--recipe", recipe, "--claims", ids]
    env = {**os.environ, "COLUMNS": "120"}
    done = subprocess.run([*command, *chosen, "--claims-json", "v.json"], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())
    assert f"{recipe}/seed5 was trained with steps = 20 (published" in said
    claims = json.loads(Path("v.json").read_text())["claims"]
    assert len(claims) == len(ids.split(","))
    assert {claim["verdict"] for claim in claims} <= {"refuted", "vacuous", "not evaluated"}
    roles = {s["subject"].split("/")[1]: s["role"] for s in claims[0]["subjects"]}
    assert (roles["seed5"], roles["untrained-seed5"]) == ("trained", "control")
    assert "memorised-seed5" not in roles


@pytest.mark.parametrize("command", ["train", "sweep"])
@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("n_heads=0", "n_heads = 0, expected 1 or more"),
        ("d_mlp=0", "d_mlp = 0, expected 1 or more"),
        ("lr=-1", "lr = -1.0, expected more than 0"),
        ("weight_decay=nan", "weight_decay = nan"),
        ("p=1", "p = 1 makes a task of 1 element"),
        ("p=96", "p = 96, expected an odd number"),
        ("p=1000000000", "p = 1000000000, expected"),
        ("train_frac=2", "train_frac = 2.0, expected more than 0 and less than 1"),
        ("train_frac=0.00001", "leaves none to train"),
        ("betas=0.9,1", "betas = 0.9, 1.0, expected"),
        ("betas=0.9", "expected two numbers"),
        ("steps=0", "steps = 0, expected"),
        ("d_model=100000", "parameters, expected at most"),
        ("colour=red", "KEY one of p, steps, train_frac"),
        ("p=x", "expected whole number"),
    ],
)
def test_a_value_is_refused_in_one_line_before_anything_starts(
    command: str, setting: str, told: str, capsys: pytest.CaptureFixture[str]
):
    assert _grok(command, "modadd-transformer", "--set", setting) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--set", "p=7,11"), "a run takes one"),
        (("--set", "p=7", "--set", "p=11"), "given twice"),
        (("--set", "n_heads=2"), "the architecture mlp has no n_heads"),
        (("--recipe-file", "my.toml"), "give either RECIPE"),
        (("--threads", "-1"), "--threads must be at least 0"),
        (("--seed", "-1"), "seed = -1, expected"),
        (("--device", "tpu"), "unknown device 'tpu'"),
    ],
)
def test_wrong_use_is_told(arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]):
    assert _grok("train", "modadd-mlp", *arguments) == 2
    assert told in capsys.readouterr().err
    assert not list(Path().iterdir())


def test_a_run_whose_loss_is_not_finite_says_what_to_do(capsys: pytest.CaptureFixture[str]):
    work = Path("runs/modadd-mlp/seed0/work")
    assert _train("--set", "lr=1e6", "--steps", 20, "--seed", 0) == 2
    told = "grok: modadd-mlp: the train loss at step 1 is not finite: give a smaller lr than 1000000.0, and remove"
    assert capsys.readouterr().err.splitlines()[-1] == f"{told} {work} before"
    shutil.rmtree(work)
    assert _train("--steps", 20, "--seed", 0) == 0


def test_help_names_every_field_with_its_type():
    words = {"whole number": "whole numbers", "number": "numbers"}
    groups = [part.strip() for part in options.SET_HELP.partition("Fields: ")[2].rstrip(".").split(";")]
    listed = {}
    for group in groups:
        names, _, kind = group.partition(" (")
        listed |= dict.fromkeys((name.strip() for name in names.split(",")), " ".join(kind.split()).rstrip(")"))
    assert {name: kind.partition(",")[0] for name, kind in listed.items()} == {
        name: words.get(fields.kind(of), fields.kind(of)) for name, of in fields.SETTABLE.items()
    }


def test_the_gpu_is_the_default_where_there_is_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (engine.device_of("auto"), engine.device_of("cpu")) == ("cuda", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert engine.device_of("auto") == "cpu"


def test_an_extended_run_has_the_bits_of_one_that_was_as_long_from_the_start(capsys: pytest.CaptureFixture[str]):
    """From a step at which the shorter run, because it is its last, has a test loss, and the longer one has none."""
    assert _train("--eval-every", 7, "--steps", 303, "--seed", 1, "--out", "long") == 0
    short = ("--eval-every", 7, "--seed", 1, "--out", "short")
    assert _train(*short, "--steps", 200, "--keep-work") == 0
    assert _train(*short, "--steps", 200) == 0
    assert "short: already finished" in capsys.readouterr().out
    assert _train(*short, "--steps", 303) == 0
    assert _files(Path("short")) == _files(Path("long"))
    assert not Path("long/work").exists()
    assert _train(*short, "--steps", 200) == 2
    assert "short has 303 steps, more than 200" in capsys.readouterr().err


def test_a_run_that_cannot_be_extended_says_why(capsys: pytest.CaptureFixture[str]):
    assert _train("--steps", 20, "--out", "run") == 0
    before = _files(Path("run"))
    assert _train("--steps", 30, "--out", "run") == 2
    assert "run has 20 steps and cannot go on to 30: its state was removed" in capsys.readouterr().err
    assert _train("--steps", 20, "--out", "run", "--set", "weight_decay=0.5") == 2
    assert "run holds another run: weight_decay is 1.0, expected 0.5; give another --out" in capsys.readouterr().err
    assert _files(Path("run")) == before


def test_the_train_pairs_of_a_file_are_those_of_the_run_and_of_its_verification():
    pairs = [40, 3, 0, 17, 22, 31]
    Path("pairs.txt").write_text("40 3, 0\n17 22 31\n")
    Path("pairs.json").write_text(json.dumps(pairs))
    np.save("pairs.npy", np.array(pairs))
    for suffix in ("txt", "json", "npy"):
        assert _train("--split", f"pairs.{suffix}", "--steps", 5, "--out", suffix) == 0
        split = load_fixture(Path(suffix)).recipe.split()
        assert split.train.tolist() == pairs
        assert sorted([*pairs, *split.test.tolist()]) == list(range(49))
        found = load(Path(suffix)).network.split
        assert found is not None
        assert found.train.tolist() == pairs
    assert _files(Path("txt")) == _files(Path("npy"))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"0 1 49", "a.txt: index 3 is 49, expected 0 … 48"),
        ("a.txt", b"0 1 1", "a.txt: index 3: 1 is there twice"),
        ("a.txt", b"", "none is left to train on"),
        ("a.txt", " ".join(map(str, range(49))).encode(), "none is left to test on"),
        ("no.txt", None, "no.txt is not a file; expected indices"),
        ("a.txt", b"0 x", "holds no list of indices"),
        ("a.json", b'{"train": [1]}', "expected a JSON list of whole numbers"),
        ("a.npy", b"nothing", "holds no list of indices"),
    ],
)
def test_a_split_that_is_none_is_refused(
    name: str, content: bytes | None, told: str, capsys: pytest.CaptureFixture[str]
):
    if content is not None:
        Path(name).write_bytes(content)
    assert _train("--split", name) == 2
    assert told in capsys.readouterr().err
    assert not Path("runs").exists()


def test_list_shows_runs(capsys: pytest.CaptureFixture[str]):
    assert _train("--steps", 20, "--seed", 5) == 0
    Path("runs/modadd-mlp/seed6/work").mkdir(parents=True)
    run = {"recipes": [load_fixture(Path("runs/modadd-mlp/seed5")).recipe.to_json()]}
    Path("runs/modadd-mlp/seed6/work/run.json").write_text(json.dumps(run))
    capsys.readouterr()
    assert _grok("list") == 0
    finished, stopped = [line for line in capsys.readouterr().out.splitlines() if line.startswith("runs/")]
    assert finished.startswith("runs/modadd-mlp/seed5  20 steps, test accuracy 0.")
    assert finished.endswith("p = 7 (published 113)")
    assert "seed6  not finished; the same `grok train` goes on to 20 steps" in stopped
