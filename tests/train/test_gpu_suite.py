"""The suite for GPU machines, rehearsed on the CPU: every section runs, results are complete and can be read."""

import json
import os
import subprocess
import sys
import tarfile
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors import safe_open

from benchmarks.gpu import checks, sections
from benchmarks.gpu import suite as gpu_suite
from benchmarks.gpu import training as gpu_training
from benchmarks.gpu.eager import LENS, NETWORKS, Eager
from benchmarks.gpu.plan import SECTIONS, TIMING, full_plan, rehearsal_plan
from grok.models import matrices as weights
from grok.recipe import Recipe
from grok.store.fixture import load_fixture
from grok.train.engines import engine
from grok.train.state import Settings


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = rehearsal_plan()
    plan = replace(plan, canonical=plan.canonical[:1], batches=plan.batches[:1])
    plan = replace(plan, growth_p=(5,), growth_seeds=(), kernel_sizes=())
    folder = tmp_path_factory.mktemp("suite")
    gpu_suite.run_suite(plan, folder, budget=3600, started=time.monotonic())
    return folder


def test_every_section_ran_and_says_that_it_was_a_rehearsal(out: Path):
    report = json.loads((out / "report.json").read_text())
    assert report["failed"] == [], {k: report[k]["error"] for k in report["failed"]}
    assert report["rehearsal"] is True
    assert report["environment"]["device"] == "cpu"
    assert [name for name in report if name in (*SECTIONS, "results")] == [*SECTIONS[1:], "results"]
    assert all(row["same_twice"] for row in report["determinism"]["result"])
    targets = report["targets"]["result"]
    assert [targets["run"][key] for key in ("recipe", "steps")] == ["modsub-transformer", 100]
    assert targets["batch"]["seeds"] == 2
    assert min(targets["whole_run_seconds"], targets["batch_us_per_seed_step"]) > 0
    alone = {(row["recipe"], row["engine"]) for row in report["ladder_alone"]["result"]["rows"]}
    assert ("modadd-transformer", "eager") in alone
    installed = report["environment"]["transformer_lens"] != "TransformerLens is not installed"
    assert (("modadd-transformer", "transformer_lens") in alone) == installed


def test_nothing_runs_beside_the_timing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Other processes measure trained runs. They keep the CPU busy, and what waits for Python would be slower."""
    monkeypatch.setattr(gpu_suite, "get_context", Mock(side_effect=AssertionError("other processes")))
    plan = replace(rehearsal_plan(), kernel_sizes=())
    report = gpu_suite.run_suite(plan, tmp_path, 3600, time.monotonic(), ("canonical", "compared", *TIMING))
    assert report["failed"] == ["compared", "results"]  # all that came after timing, and nothing before
    assert [name for name in report if name in gpu_suite.SECTIONS] == ["canonical", *TIMING, "compared"]


def test_time_that_a_section_leaves_is_for_those_after_it():
    clock = gpu_suite.Clock(100.0, ["targets", "beside", "compared"])  # of the shares 3, 3 and 2
    assert clock.until("targets", 20.0) == 50
    assert clock.until("beside", 30.0) == 72
    assert clock.until("compared", 30.0) == 100


def test_sections_are_chosen_by_name():
    assert gpu_suite.chosen("timing,compared") == ("timing", "compared", *TIMING)
    with pytest.raises(ArgumentTypeError, match="no section ladders; known: timing, kernels"):
        gpu_suite.chosen("ladders,timing")


def test_a_cell_that_fails_stops_no_other():
    def fails() -> dict:
        raise MemoryError("too many seeds")

    cells = [("one", lambda: {"us": 1}), ("two", fails), ("three", lambda: {"us": 3}), ("four", fails)]
    time_left = iter([True, True, True, False])
    measured = sections.measured(cells, lambda: next(time_left))
    found = next(measured)
    with pytest.raises(RuntimeError, match=r"not measured: two$"):
        list(measured)
    assert (found["rows"], found["left_out"]) == ([{"us": 1}, {"us": 3}], ["four"])
    assert "too many seeds" in found["failed"]["two"]


def test_the_rehearsal_by_its_command(tmp_path: Path):
    """Of its own accord in Triton's interpreter."""
    pytest.importorskip("triton", reason="Triton is for Linux on x86-64")
    bare = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.gpu.suite", "--rehearse", "--out", str(tmp_path)]
    done = subprocess.run(command, env=bare, capture_output=True, text=True)
    report = json.loads((tmp_path / "report.json").read_text())
    assert done.returncode == 0, {k: report[k]["error"] for k in report["failed"]}
    assert {row["kernel"] for row in report["beside"]["result"]["rows"]} >= {
        "products",
        "cross_entropy",
        "token_mix",
    }


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", ["modsub-transformer", "add-transformer"])
def test_the_foot_of_the_ladder_is_the_same_network(name: str, network: str):
    if network == LENS:
        pytest.importorskip("transformer_lens")
    recipe = next(r for r in rehearsal_plan().canonical if r.name == name)
    state = checks.State.fresh([recipe], "cpu")
    foot, reference = Eager(recipe, state, network), engine.make([recipe], "folded", state)
    for _ in range(3):
        torch.testing.assert_close(foot.test_loss().float(), reference.test_loss(), rtol=1e-5, atol=0)
        torch.testing.assert_close(foot.advance().float(), reference.advance(), rtol=1e-5, atol=0)
    torch.testing.assert_close(foot.train_loss().float(), reference.train_loss(), rtol=1e-5, atol=0)


def test_where_transformerlens_is_not_the_plain_rung_stands_for_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metadata, "version", Mock(side_effect=metadata.PackageNotFoundError))
    assert checks.environment("cpu")["transformer_lens"] == "TransformerLens is not installed"
    *_, found = sections.ladder(full_plan(), 1, lambda: False)
    rungs = {name.split(", ")[2] for name in found["left_out"] if name.startswith("modadd-transformer")}
    assert rungs == set(full_plan().ladder) - {LENS}


def test_kernel_tests_do_not_take_all_the_time():
    with pytest.raises(RuntimeError, match="longer than 0 s"):
        checks.kernel_tests(1e-3)


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
    """That of the other engine lies in a folder of its own, for ``pytest claims/ --fixture-dir``."""
    with tarfile.open(out / "fixtures-0.tar") as archive:
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 has it, and 3.11.2 not
        archive.extractall(tmp_path, **safe)
    for seed, roles in ((0, {"initial"}), (1, {"initial"})):
        fixture = load_fixture(tmp_path / "modadd-mlp-p7" / f"seed{seed}")
        assert (fixture.recipe.task.p, fixture.recipe.seed) == (7, seed)
        assert fixture.card["checkpoints"].keys() == roles
        assert np.isfinite(fixture.trajectory["columns"]["test_loss"]).all()
    assert load_fixture(tmp_path / "folded" / "modadd-mlp-p7" / "seed0").card["engine"] == "folded"


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


def test_the_full_suite_fills_at_most_8_files_of_16_mib(tmp_path: Path):
    """A fixture has at most two sets of weights, and ten numbers of at most 20 characters for each snapshot."""
    plan, folders = full_plan(), []
    for recipes, sets in [
        *(([r], 2) for r in [*plan.canonical, *plan.compared[0] * len(plan.compared[1])]),
        *((batch, 1) for batch in plan.batches),
    ]:
        for recipe in recipes:
            folders.append(tmp_path / f"{len(folders)}")
            folders[-1].mkdir()
            with open(folders[-1] / "model", "wb") as file:
                file.truncate(4 * sets * weights.size(recipe) + 200 * recipe.steps // 100 + 4096)
    sizes = [path.stat().st_size for path in gpu_training.pack(folders, tmp_path, tmp_path)]
    assert max(sizes) <= 2**24
    assert 1 + len(sizes) <= 8  # with the report


class _Later:
    """What a pool gives for a call, which is made when the test says so."""

    def __init__(self, call: Callable, arguments: tuple):
        self.call, self.arguments, self.made, self.error = call, arguments, False, None

    def run(self) -> None:
        self.made = True
        try:
            self.value = self.call(*self.arguments)
        except OSError as error:
            self.error = error

    def ready(self) -> bool:
        return self.made

    def successful(self) -> bool:
        return self.error is None

    def wait(self, timeout: float) -> None:
        """Nothing is under way."""

    def get(self, timeout: float = 0) -> str:
        if self.error or not self.made:
            raise self.error or TimeoutError
        return self.value


def test_what_was_trained_is_on_disk_before_it_is_measured(tmp_path: Path):
    """An interrupted suite keeps the final weights of its runs; a run that cannot be measured keeps its too."""
    plan = rehearsal_plan()
    pool, calls = Mock(), []
    pool.apply_async.side_effect = lambda call, arguments: calls.append(_Later(call, arguments)) or calls[-1]
    work = gpu_suite.Workers(lambda: pool, tmp_path / "scratch", tmp_path)
    alone, settings = [([recipe], "") for recipe in plan.canonical[:2]], Settings(engine=plan.trains)
    kept = gpu_suite.Workers(lambda: pool, tmp_path / "kept", tmp_path)
    list(gpu_suite.trained(alone[1:], settings, ("initial",), kept, lambda: True, now=False))
    assert not calls  # something is timed next
    with safe_open(tmp_path / "finals-0.safetensors", "np") as file:
        assert f"{plan.canonical[1].name}-p7/seed{plan.canonical[1].seed}/weights" in set(file.keys())
    *_, found = gpu_suite.trained(alone, settings, ("initial",), work, lambda: not work.jobs)
    assert found["left_out"] == [f"{plan.canonical[1].name}-p7, 1 seeds"]
    list(gpu_suite.trained([(plan.batches[0], "")], settings, ("initial",), work, lambda: True))
    first, _, broken = calls
    with safe_open(tmp_path / "finals-0.safetensors", "np") as file:
        assert {"modadd-mlp-p7/seed0/weights", "modadd-mlp-p7/seed1/losses"} <= set(file.keys())
        assert file.get_tensor("modadd-mlp-p7/seed1/weights").shape == (weights.size(plan.canonical[0]),)
        assert np.isfinite(file.get_tensor("modadd-mlp-p7/seed0/losses")).all()
    first.run()
    assert [p.name for p in work.save()] == ["fixtures-0.tar", "finals-0.safetensors"]
    broken.arguments = (tmp_path / "nothing", 0, tmp_path / "no", ())
    broken.run()
    with pytest.raises(TimeoutError):  # of the second
        work.results(time.monotonic())
    assert (tmp_path / "finals-0.safetensors").exists()
