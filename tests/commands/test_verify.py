"""``grok verify`` and ``grok convert``: what is printed, what is written, and how they refuse."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from grok import cli
from grok.measure.losses import mean_loss
from grok.models import analytic
from grok.store.checkpoint import load
from grok.task import Task

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "fixtures" / "add-transformer" / "seed999" / "model.safetensors"


@pytest.fixture
def adder(tmp_path: Path) -> Path:
    """An MLP that adds modulo 11, as a .pt file."""
    path = tmp_path / "adder.pt"
    torch.save({"model": analytic.mlp(Task(11), (2, 3, 5)), "epoch": 7}, path)
    return path


def _grok(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(map(str, arguments)))
    return ended.value.code


def _process(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    start = (sys.executable, "-c", "from grok.cli import main; main()")
    return subprocess.run([*start, *map(str, arguments)], cwd=folder, capture_output=True, text=True)


def test_verify_is_the_claims_on_a_file(tmp_path: Path):
    """In a process of its own, from another directory, as a user runs it."""
    options = ("--split-seed", "598", "--train-frac", "0.72", "--html", "claims.html", "--json", "verdicts.json")
    done = _process(tmp_path, "verify", SHIPPED, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    first, told, certificate, *table = done.stdout.splitlines()
    assert first.endswith("TransformerLens transformer, add with p = 10, 200,960 parameters")
    assert told.strip() == "its card: add with p = 10; right on 1.0000 of all pairs"
    assert re.match(r"  margin 14\.\d over all 100 pairs, float32 error ≤ 0\.\d+: ", certificate)
    assert certificate.endswith(": every answer is certified")
    assert any(line.startswith("F1 ") for line in table)
    verdicts = json.loads((tmp_path / "verdicts.json").read_text())["claims"]
    assert {subject["role"] for subject in verdicts[0]["subjects"]} == {"checkpoint", "control"}
    assert {claim["fixture"] for claim in verdicts} == {"add-transformer"}
    assert (tmp_path / "claims.html").stat().st_size > 10_000


def test_claims_about_other_networks_are_named(adder: Path):
    done = _process(adder.parent, "verify", adder, "--claims", "K8,N6, P6")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nnot about modadd-mlp: N6; " in done.stdout


def test_a_split_of_ones_own_is_that_of_the_claims(adder: Path, tmp_path: Path):
    (tmp_path / "pairs.txt").write_text("120 4 77")
    chosen = ("--split", "pairs.txt", "--claims", "K2", "--json", "verdicts.json")
    done = _process(tmp_path, "verify", adder, *chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    (claim,) = json.loads((tmp_path / "verdicts.json").read_text())["claims"]
    (measured,) = [s["evidence"] for s in claim["subjects"] if s["role"] == "checkpoint"]
    logits, labels = load(adder).network.logits, Task(11).labels()
    mean = {which: mean_loss(logits, labels, pairs) for which, pairs in vars(Task(11).split_of([120, 4, 77])).items()}
    assert {e["name"]: e["value"] for e in measured} == {f"{which} loss": pytest.approx(mean[which]) for which in mean}


def test_the_shipped_network_is_shown_beside_the_model_and_decides_nothing(tmp_path: Path):
    mine = SHIPPED.parents[1] / "seed4" / "model.safetensors"
    done = _process(tmp_path, "verify", mine, "--claims", "F1,F23", "--strict", "--json", "verdicts.json")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "strict: refuted on this model: F23"
    claims = json.loads((tmp_path / "verdicts.json").read_text())["claims"]
    assert [(claim["id"], claim["verdict"]) for claim in claims] == [("F1", "replicated"), ("F23", "refuted")]
    assert {s["role"] for claim in claims for s in claim["subjects"]} == {"checkpoint", "control", "rival"}
    beside = claims[1]["beside"]
    assert (beside["subject"], beside["role"]) == ("published add-transformer/seed999", "reference")
    assert beside["asserts"][0]["left"] > claims[1]["subjects"][0]["asserts"][0]["left"]
    told = " ".join(done.stdout.split())
    assert "measured shipped threshold" in told
    assert re.search(r"F23 PC2 shifts [^≥]* 0\.0029\d+ 0\.95\d+ ≥ 0\.9 ", told)


def test_a_model_without_claims_is_told_where_to_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    weights = analytic.mlp(Task(11), (2, 3, 5))
    weights["W_E_b"] = weights["W_E"][-torch.arange(11) % 11]  # a - b
    save_file(weights, tmp_path / "m.safetensors")
    assert _grok("verify", tmp_path / "m.safetensors") == 2
    told = capsys.readouterr()
    assert "sub_mod with p = 11" in told.out
    assert "no source makes claims about such a model" in told.err


def test_verify_says_which_answers_are_not_certified(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    weights = analytic.mlp(Task(11), (2, 3, 5))
    weights["W_E"][7] = weights["W_E"][8]  # the pairs with a 7, 21 of them, are answered as if it were an 8
    weights["W_E_b"] = weights["W_E"][-torch.arange(11) % 11]
    save_file(weights, tmp_path / "m.safetensors")
    assert _grok("verify", tmp_path / "m.safetensors") == 2
    told = capsys.readouterr().out
    assert "21 wrong, the worst at (a, b) = " in told


def test_convert_writes_what_it_read(adder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "new" / "model.safetensors"
    assert _grok("convert", adder, "--out", out) == 0
    expected = analytic.mlp(Task(11), (2, 3, 5))
    assert {name: w.dtype for name, w in load_file(out).items()} == dict.fromkeys(expected, torch.float64)
    assert all(torch.equal(w, expected[name]) for name, w in load_file(out).items())
    assert capsys.readouterr().out.splitlines()[1] == "left out: epoch"


def test_convert_does_not_write_over_a_file(adder: Path, capsys: pytest.CaptureFixture[str]):
    before = adder.read_bytes()
    assert _grok("convert", adder, "--out", adder) == 2
    assert "already exists" in capsys.readouterr().err
    assert adder.read_bytes() == before


@pytest.mark.parametrize("command", [("verify",), ("convert", "--out", "x.safetensors")])
def test_a_file_that_is_not_there(command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert _grok(command[0], tmp_path / "none.pt", *command[1:]) == 2
    assert capsys.readouterr().err == f"grok: {tmp_path / 'none.pt'}: it cannot be read (No such file or directory)\n"


def test_a_folder_that_was_trained_is_verified_with_its_own_run_and_controls(tmp_path: Path):
    runs = tmp_path / "runs" / "add-transformer"
    runs.mkdir(parents=True)
    (runs / "seed4").symlink_to(SHIPPED.parents[1] / "seed4", target_is_directory=True)
    done = _process(tmp_path, "verify", "runs/add-transformer/seed4", "--json", "verdicts.json")
    assert done.returncode == 0, done.stdout + done.stderr
    claims = {claim["id"]: claim for claim in json.loads((tmp_path / "verdicts.json").read_text())["claims"]}
    ran = {subject["subject"] for claim in claims.values() for subject in claim["subjects"]}
    assert {"add-transformer/seed4", "add-transformer/memorised-seed4", "add-transformer/untrained-seed4"} <= ran
    assert not [name for name in ran if name.startswith("add-transformer-wd0") or name.endswith("seed999")]


def test_the_split_of_a_fixture_is_read_from_its_card():
    by_card = load(SHIPPED)
    assert by_card.network.split is not None
    assert set(by_card.accuracy) == {"all", "train", "test"}
    assert (load(SHIPPED.parent).sha256, by_card.recipe_name) == (by_card.sha256, "add-transformer")
