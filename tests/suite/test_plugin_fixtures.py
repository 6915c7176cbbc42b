"""The plugin on fixtures on disk and on checkpoints: which subjects a claim runs on, and how damage is told."""

import json
import shutil
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from sessions import run, verdicts

import grok.store.checkpoint
import grok.store.fixture
from grok.models import analytic
from grok.recipe import get_recipe
from grok.suite.subject import Subject
from grok.task import Task

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


FAMILY = """
from grok.claim import claim, source

pytestmark = source("me", "My paper", fixture="tiny")

@claim("T1", "The weights grew")
def test_grew(model, evidence):
    assert evidence("‖U‖", model.U.norm()) >= 10

@claim("T2", "There are numbers")
def test_numbers(model, evidence):
    assert model.task.p == 7

@claim("T3", "The test loss fell")
def test_fell(run, evidence):
    assert run.columns["test_loss"][-1] < 1

@claim("T4", "It starts at zero", no_control="every run does")
def test_starts(run, evidence):
    assert run.steps[0] == 0
"""


def tiny_fixture(root, name, seed, scale, test_loss):
    """A fixture of p = 7 whose final weights are ``scale`` times its initial ones."""
    from grok.models.matrices import initial
    from grok.store.fixture import save_fixture

    recipe = replace(get_recipe("modadd-mlp"), name=name, task=Task(7), steps=10, d_model=4, d_mlp=8).with_seed(seed)
    weights = initial(recipe)
    final = {key: scale * w for key, w in weights.items()}
    columns = {"test_loss": [3.0, test_loss]}
    save_fixture(
        root / name / f"seed{seed}",
        recipe,
        final,
        {0: weights, 5: weights},
        {"initial": 0, "memorised": 5},
        {"schema": 1, "steps": [0, 10], "key_frequencies": None, "columns": columns},
        {"device": "cpu", "torch": torch.__version__},
    )


@pytest.fixture
def shipped(pytester):
    tiny_fixture(pytester.path / "fixtures", "tiny", 0, 100.0, 0.1)
    tiny_fixture(pytester.path / "fixtures", "tiny", 3, 1.0, 0.1)
    tiny_fixture(pytester.path / "fixtures", "tiny-wd0", 0, 1.0, 5.0)
    pytester.makepyfile(FAMILY)
    return pytester


def test_subjects_are_the_shipped_seed_and_its_controls(shipped):
    result = run(shipped, "--claims-json", "v.json")
    found = verdicts(shipped)
    names = {claim: [(s["subject"], s["role"], s["holds"]) for s in found[claim]["subjects"]] for claim in found}
    assert names["T1"] == [
        ("tiny/seed0", "trained", True),
        ("tiny/memorised-seed0", "control", False),
        ("tiny/memorised-seed3", "control", False),
        *((f"tiny/untrained-seed{i}", "control", False) for i in range(10)),
    ]
    assert names["T3"] == [("tiny/seed0", "trained", True), ("tiny-wd0/seed0", "control", False)]
    assert names["T4"] == [("tiny/seed0", "trained", True)]
    assert [found[c]["verdict"] for c in found] == ["replicated", "vacuous", "replicated", "uncontrolled"]
    assert result.ret == 1, "T2 holds on its controls, and nothing says so yet"
    assert found["T1"]["subjects"][0]["digest"]
    listed = json.loads((shipped.path / "v.json").read_text())["run"]["fixtures"]
    assert [(f["fixture"], f["seed"], f["device"]) for f in listed] == [
        ("tiny", 0, "cpu"),
        ("tiny", 3, "cpu"),
        ("tiny-wd0", 0, "cpu"),
    ]


def test_each_subject_is_loaded_once_and_forgotten(shipped, monkeypatch):
    loaded = []
    load = grok.store.fixture.load_fixture
    monkeypatch.setattr(
        grok.store.fixture, "load_fixture", lambda folder: loaded.append(folder.parent.name) or load(folder)
    )
    dropped = []
    drop = Subject.drop
    monkeypatch.setattr(Subject, "drop", lambda self: dropped.append(self.name) or drop(self))
    run(shipped)
    names = ["tiny/seed0", "tiny/memorised-seed0", "tiny/memorised-seed3"]
    names += [f"tiny/untrained-seed{i}" for i in range(10)]
    assert sorted(loaded) == ["tiny"] * len(names) + ["tiny-wd0"]
    assert sorted(dropped) == sorted([*names, "tiny-wd0/seed0"])


def test_more_seeds(shipped):
    run(shipped, "--claims-json", "v.json", "--seeds", "all", "-k", "grew")
    claim = verdicts(shipped)["T1"]
    assert (claim["verdict"], claim["k"], claim["n"]) == ("mixed", 1, 2)
    assert claim["reason"].startswith("tiny/seed3: ")
    assert run(shipped, "--seeds", "first").ret == 4


def test_more_seeds_are_shown_and_change_nothing_that_is_committed(shipped, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    run(shipped, "--expected", "e.json", "--update-expected")
    result = run(shipped, "--expected", "e.json", "--seeds", "all", "--claims-json", "v.json")
    assert result.ret == 0
    assert not verdicts(shipped)["T1"]["moved"]
    seeds = "tiny: 2 of 2 runs did not grok (test loss at the end ≥ 0.01): seeds 0, 3"
    result.stdout.fnmatch_lines(["T1 *", "* mixed 1/2 *9–91 %", seeds])
    committed = json.loads((shipped.path / "e.json").read_text())
    committed["claims"]["T1"]["subjects"]["tiny/seed3"] = True
    (shipped.path / "e.json").write_text(json.dumps(committed))
    assert run(shipped, "--expected", "e.json", "--seeds", "all", "--claims-json", "v.json").ret == 1
    assert verdicts(shipped)["T1"]["moved"]


@pytest.mark.parametrize("fault", ["a byte", "no folder", "no file"])
def test_a_damaged_fixture_is_told_once_in_a_line_or_two(shipped, fault):
    folder = shipped.path / "fixtures" / "tiny" / "seed0"
    match fault:
        case "a byte":
            data = bytearray((folder / "model.safetensors").read_bytes())
            data[-1] ^= 1
            (folder / "model.safetensors").write_bytes(data)
        case "no folder":
            shutil.rmtree(folder.parent)
        case "no file":
            (folder / "checkpoints.safetensors").unlink()
    result = run(shipped, "--claims-json", "v.json", "-k", "grew or numbers")
    assert result.ret == 1
    text = result.stdout.str()
    assert text.count("_ ERROR at setup of") in (1, 2), "seed 3, a control, may be gone too"
    assert "grok train" in text
    assert "Traceback" not in text
    assert "plugin.py" not in text
    damaged = [s for c in verdicts(shipped).values() for s in c["subjects"] if "seed3" not in s["subject"]]
    assert {s["holds"] for s in damaged if "untrained" not in s["subject"]} == {None}


def test_a_claim_without_fixture_or_model_says_so(pytester):
    pytester.makepyfile(FAMILY.replace(', fixture="tiny"', ""))
    result = run(pytester)
    result.stdout.fnmatch_lines(["*claim T1 asks for a model, but its source() names no fixture*"])
    assert "Traceback" not in result.stdout.str()


# ── the user's checkpoint ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def mine(pytester):
    """A checkpoint that adds modulo 7, the shipped fixture of its family, and claims of two families."""
    tiny_fixture(pytester.path / "fixtures", "modadd-mlp", 0, 1.0, 0.1)
    (pytester.path / "mine.safetensors").write_bytes(safetensors.torch.save(analytic.mlp(Task(7), [1, 2])))
    of_family = FAMILY.replace('"tiny"', '"modadd-mlp"')
    pytester.makepyfile(
        test_mine=of_family, test_other=FAMILY.replace('"tiny"', '"add-transformer"').replace('"T', '"O')
    )
    return pytester


def test_a_control_of_ones_own_must_not_have_generalised(mine):
    draw = torch.Generator().manual_seed(0)
    shapes = {"W_E": (7, 4), "W_in": (4, 8), "W_U": (8, 7)}
    chance = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    (mine.path / "chance.safetensors").write_bytes(safetensors.torch.save(chance))
    given = ("--recipe", "modadd-mlp", "--expected", "none.json", "--claims-json", "v.json")
    result = run(mine, "--checkpoint", "mine.safetensors", "--control", "chance.safetensors", *given)
    assert result.ret == 0
    roles = {s["subject"]: s["role"] for s in verdicts(mine)["T1"]["subjects"]}
    assert (roles["mine.safetensors"], roles["chance.safetensors"]) == ("checkpoint", "control")
    refused = run(mine, "--checkpoint", "mine.safetensors", "--control", "mine.safetensors", *given)
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*mine.safetensors is no control: its test loss is *, expected at least 1*"])
    assert run(mine, "--control", "chance.safetensors", *given).ret == 4


def test_a_checkpoint_takes_the_place_of_the_shipped_models(mine):
    result = run(mine, "--checkpoint", "mine.safetensors", "--claims-json", "v.json", "--expected", "none.json")
    assert result.ret == 0, "a verdict on a model of the user's is told, not judged"
    result.assert_outcomes(passed=24, skipped=6)
    result.stdout.fnmatch_lines(["mine.safetensors: *right on 1.0000 of all a + b*", "T2 *", "* vacuous"])
    found = verdicts(mine)
    assert set(found) == {"T1", "T2", "T3", "T4"}
    subjects = {s["subject"]: (s["role"], s["holds"]) for s in found["T1"]["subjects"]}
    assert subjects["mine.safetensors"][0] == "checkpoint"
    assert subjects["modadd-mlp/untrained-seed0"] == ("control", False)
    assert (found["T3"]["verdict"], found["T3"]["reason"]) == ("not evaluated", "a checkpoint has no training run")
    assert found["T1"]["expected"] is None


def test_a_checkpoint_that_cannot_be_taken_is_told_in_a_line(mine):
    (mine.path / "text.pt").write_text("no weights")
    for arguments in (["nowhere.pt"], ["text.pt"], ["mine.safetensors", "--recipe", "modadd-transformer"]):
        result = run(mine, "--checkpoint", *arguments)
        assert result.ret == 4
        assert result.stderr.str().startswith(f"ERROR: {arguments[0]}: ")
        assert "Traceback" not in result.stderr.str()
