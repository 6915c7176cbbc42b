"""The suite for GPU machines, rehearsed on the CPU: every section runs, results are complete and can be read."""

import json
import os
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from benchmarks.gpu import checks
from benchmarks.gpu import suite as gpu_suite
from benchmarks.gpu import training as gpu_training
from benchmarks.gpu.plan import rehearsal_plan
from grok.models import matrices as weights
from grok.recipe import Recipe
from grok.store.fixture import load_fixture


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = rehearsal_plan()
    plan = replace(plan, canonical=plan.canonical[:1], batches=plan.batches[:1], ladder_seeds=(1,))
    plan = replace(plan, growth_p=(5,), growth_seeds=(), kernel_sizes=())
    folder = tmp_path_factory.mktemp("suite")
    gpu_suite.run_suite(plan, folder, budget=3600, started=time.monotonic())
    return folder


def test_every_section_ran_and_says_that_it_was_a_rehearsal(out: Path):
    report = json.loads((out / "report.json").read_text())
    assert report["failed"] == [], {k: report[k]["error"] for k in report["failed"]}
    assert report["rehearsal"] is True
    assert report["environment"]["device"] == "cpu"
    assert {"determinism", "canonical", "timing", "seeds", "results"} <= report.keys()
    assert all(row["same_twice"] for row in report["determinism"]["result"])


def test_the_rehearsal_by_its_command(tmp_path: Path):
    """Of its own accord in Triton's interpreter."""
    pytest.importorskip("triton", reason="Triton is for Linux on x86-64")
    bare = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.gpu.suite", "--rehearse", "--out", str(tmp_path)]
    done = subprocess.run(command, env=bare, capture_output=True, text=True)
    report = json.loads((tmp_path / "report.json").read_text())
    assert done.returncode == 0, {k: report[k]["error"] for k in report["failed"]}
    assert {row["kernel"] for row in report["timing"]["result"]["kernels"]} >= {
        "products",
        "cross_entropy",
        "token_mix",
    }


def test_an_engine_whose_bits_depend_on_the_batch_fails(monkeypatch: pytest.MonkeyPatch):
    plan = rehearsal_plan()
    plan = replace(plan, engine="manual", batches=[[replace(r, steps=2) for r in plan.batches[0]]])
    assert all(row["same_alone"] for row in checks.determinism(plan))
    fresh = checks.State.fresh

    def other_alone(recipes: list[Recipe], device: str) -> checks.State:
        state = fresh(recipes, device)
        state.flat += 1e-6 * (len(recipes) == 1)
        return state

    monkeypatch.setattr(checks.State, "fresh", other_alone)
    with pytest.raises(RuntimeError, match="other bits"):
        checks.determinism(plan)


def test_the_fixtures_load(out: Path, tmp_path: Path):
    with tarfile.open(out / "fixtures-0.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    fixture = load_fixture(tmp_path / "modadd-mlp" / "seed0")
    assert fixture.recipe.task.p == 7


def test_the_seeds_are_complete(out: Path):
    (path,) = out.glob("modadd-mlp-seeds*.safetensors")
    with safe_open(path, "np") as file:
        metadata = file.metadata()
        recipes = [Recipe.from_json(r) for r in json.loads(metadata["recipes"])]
        assert [r.seed for r in recipes] == [0, 1]
        for recipe in recipes:
            flat = torch.from_numpy(file.get_tensor(f"seed{recipe.seed}/weights"))
            assert weights.views(flat, recipe)["W_E"].shape == (7, 8)
            table = file.get_tensor(f"seed{recipe.seed}/trajectory")
            assert table.shape == (
                len(json.loads(metadata["columns"])),
                len(file.get_tensor(f"seed{recipe.seed}/steps")),
            )
            assert np.isfinite(table[0]).all()


def test_folders_are_packed_below_the_size_that_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gpu_training, "MOST_BYTES", 250)
    for i in range(3):
        (tmp_path / f"recipe{i}").mkdir()
        (tmp_path / f"recipe{i}" / "model").write_bytes(b"x" * 100)
    paths = gpu_training.pack([tmp_path / f"recipe{i}" for i in range(3)], tmp_path, tmp_path)
    contents = []
    for path in paths:
        with tarfile.open(path) as archive:
            contents.append([member.name for member in archive.getmembers() if member.isfile()])
    assert contents == [["recipe0/model", "recipe1/model"], ["recipe2/model"]]
