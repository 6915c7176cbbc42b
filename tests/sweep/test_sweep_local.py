"""Local sweeps: the same table whatever dies, nothing computed twice, and what cannot be computed is named."""

import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
import scenario

from grok.cli import main
from grok.commands.sweep import sweep
from grok.errors import GrokError, Interrupted
from grok.store.fixture import load_fixture
from grok.sweep import compute, driver, plan, table
from grok.sweep.compute import Outcome
from grok.sweep.local import Local
from grok.sweep.plan import Batch, digest
from grok.sweep.store import Store
from grok.train.run import Diverged


def test_killed_worker_then_killed_driver_then_again_is_the_same_table(tmp_path, undisturbed):
    pq = pytest.importorskip("pyarrow.parquet")
    store = Store(tmp_path)
    died = subprocess.run([sys.executable, scenario.__file__, str(tmp_path), "local"], capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    first = scenario.finished(store)
    (lost,) = scenario.lost(store)
    assert scenario.DIES_AFTER - 1 <= len(first) < 16
    assert lost["runs"] == [digest(scenario.runs()[2])]

    summary = scenario.sweep(store, Local(["cpu"], scenario.SETTINGS, store))
    assert (summary.finished, summary.failed, summary.given_up) == (16, (), ())
    assert scenario.finished(store)[: len(first)] == first
    assert Counter(scenario.finished(store)) == Counter(map(digest, scenario.runs()))  # every run once
    table.write(store, tmp_path / "runs.parquet")
    assert pq.read_table(tmp_path / "runs.parquet").equals(undisturbed)
    assert list(store.work.iterdir()) == []


def test_a_finished_sweep_computes_nothing(tmp_path, undisturbed, capsys):
    """Through the command; and a wider sweep computes only what it adds."""
    grid = [arg for setting in scenario.SMALL for arg in ("--set", setting)]
    command = ["sweep", "modadd-transformer", *grid, "--out", str(tmp_path), "--workers", "1", "--device", "cpu"]

    def grok(*args):
        with pytest.raises(SystemExit) as done:
            main([*command, *args])
        return done.value.code, capsys.readouterr().out

    assert grok("--seeds", "0,1")[0] == 0
    before = (tmp_path / "records.jsonl").read_bytes()
    assert grok("--seeds", "0,1")[0] == 0
    assert (tmp_path / "records.jsonl").read_bytes() == before
    code, said = grok("--seeds", "0-2", "--dry-run")
    assert (code, (tmp_path / "records.jsonl").read_bytes()) == (0, before)
    assert "3 runs, 1 settings; 2 done, 1 to do" in said
    assert "from the seconds of finished runs" in said
    assert grok("--seeds", "0-2")[0] == 0
    assert len(scenario.finished(Store(tmp_path))) == 3


def test_stored_runs_are_fixtures_with_the_controls_checkpoints(undisturbed_store):
    for run in scenario.runs():
        stored = load_fixture(undisturbed_store.folder(run))
        assert stored.recipe == run
        assert "initial" in stored.card["checkpoints"]
        assert set(stored.card["checkpoints"]) <= {"initial", "memorised"}


def test_state_of_a_stopped_batch_goes_on_whatever_the_batch_size():
    runs = scenario.runs()[:8]
    batches = plan.batches(runs[1:], begun=[runs[:3], runs[7:]], size=2)
    assert [b.runs for b in batches] == [tuple(runs[:3]), (runs[7],), tuple(runs[3:5]), tuple(runs[5:7])]


@pytest.mark.parametrize(
    ("raised", "kind"),
    [(Diverged("not finite"), "failed"), (GrokError("no such engine"), "lost"), (OSError(28, "full"), "lost")],
)
def test_what_came_of_an_attempt(tmp_path, monkeypatch, raised, kind):
    def train(*args, **kwargs):
        raise raised

    monkeypatch.setattr("grok.sweep.compute.run.train", train)
    assert compute.attempt(scenario.runs()[:1], scenario.SETTINGS, tmp_path).kind == kind


def test_a_stopped_worker_gives_no_outcome(tmp_path, monkeypatch):
    """It saved its state. With an outcome instead it would wait for a batch while the driver waits for its end."""

    def train(*args, **kwargs):
        raise Interrupted

    monkeypatch.setattr("grok.sweep.compute.run.train", train)
    with pytest.raises(Interrupted):
        compute.attempt(scenario.runs()[:1], scenario.SETTINGS, tmp_path)


class Scripted:
    """An engine that answers each batch with what the script says."""

    def __init__(self, answer):
        self.answer, self.batches, self.seen = answer, [], []

    def has_room(self, batch):
        return True

    def submit(self, batch):
        self.batches.append(batch)
        self.seen.append(batch)

    def wait(self):
        batch = self.batches.pop()
        return [(batch, self.answer(batch))]

    def close(self):
        pass


def _drive(store, engine, batches):
    with store.locked():
        return driver.drive(engine, batches, store, scenario.runs(), progress=False)


def test_a_run_that_spoils_its_batch_is_named_and_the_others_are_kept(tmp_path):
    store, runs = Store(tmp_path), scenario.runs()[:4]

    def answer(batch):
        if runs[1] in batch.runs:
            return Outcome("failed", error="the train loss at step 7 is not finite")
        return Outcome(
            "finished", {digest(r): {"card.json": json.dumps({"recipe": r.to_json()}).encode()} for r in batch.runs}
        )

    engine = Scripted(answer)
    summary = _drive(store, engine, [Batch(tuple(runs))])
    assert summary.failed == (runs[1],)
    assert summary.finished == 3
    row = table.row(store.folder(runs[1]), runs[1])
    assert (row["error"], row["grokked"], row["seed"]) == ("the train loss at step 7 is not finite", False, 1)
    assert scenario.missing(store) == plan.batches(scenario.runs()[4:], [], 1)


def test_a_batch_that_is_always_lost_is_given_up_and_missing_next_time(tmp_path):
    store, run = Store(tmp_path), scenario.runs()[0]
    engine = Scripted(lambda batch: Outcome("lost", error="killed"))
    summary = _drive(store, engine, [Batch((run,))])
    assert len(engine.seen) == driver.ATTEMPTS
    assert summary.given_up == (run,)
    assert not store.done(run)


def test_two_sweeps_in_one_folder_are_refused(tmp_path):
    with Store(tmp_path).locked(), pytest.raises(GrokError, match="another sweep"), Store(tmp_path).locked():
        pass


def test_a_run_that_could_not_be_stored_is_not_there(tmp_path, monkeypatch):
    store, run = Store(tmp_path), scenario.runs()[0]
    writes = []

    def full(path, data):
        writes.append(path)
        if len(writes) == 2:
            raise OSError(28, "No space left on device")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    monkeypatch.setattr("grok.sweep.store.files.write_bytes", full)
    contents = {"model.safetensors": b"m", "card.json": b"{}"}
    with pytest.raises(OSError, match="No space"):
        store.put(run, contents)
    assert not store.done(run)
    assert list(store.stored()) == []
    store.put(run, contents | {"card.json": json.dumps({"recipe": run.to_json()}).encode()})
    assert list(store.stored()) == [run]


def test_digest_depends_on_every_field_of_a_recipe():
    run = scenario.runs()[0]
    others = [replace(run, seed=99), replace(run, split_seed=99), replace(run, lr=2e-3), replace(run, betas=(0.9, 0.9))]
    others += [replace(run, task=replace(run.task, p=29)), replace(run, steps=31)]
    assert len({digest(r) for r in [run, *others]}) == len(others) + 1
    assert digest(replace(run)) == digest(run)


@pytest.mark.parametrize("text", ["", "a", "3-1", "1,1", "0-2,2", "-1", "1-"])
def test_seeds_that_are_none(text):
    with pytest.raises(GrokError, match="--seeds"):
        plan.seeds(text)


def test_an_engine_that_cannot_run_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(GrokError, match="unknown engine 'fast'"):
        sweep("add-transformer", seeds="0", out=tmp_path / "sweep", device="cpu", engine="fast")
    with pytest.raises(GrokError, match="give --on ray"):
        sweep("add-transformer", seeds="0", out=tmp_path / "sweep", device="cpu", engine="ray")
    with pytest.raises(GrokError, match="add --on ray"):
        sweep("add-transformer", seeds="0", out=tmp_path / "sweep", address="auto")
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    "setting", ["p", "p=", "name=x", "seed=1", "lr=a", "p=2.5", "train_frac=0", "train_frac=1", "steps=0"]
)
def test_settings_that_are_none(setting):
    with pytest.raises(GrokError):
        plan.grid(scenario.runs()[0], [setting])


def test_grid_is_every_combination_once():
    recipe = scenario.runs()[0]
    points = plan.grid(recipe, ["weight_decay=0.3,1", "p=23,29,31"])
    assert [(r.weight_decay, r.task.p) for r in points] == [(w, p) for w in (0.3, 1.0) for p in (23, 29, 31)]
    assert {replace(r, weight_decay=1.0, task=recipe.task) for r in points} == {replace(recipe, weight_decay=1.0)}


def test_export_is_a_fixture_where_claims_look(tmp_path, undisturbed_store):
    run = scenario.runs()[2]
    there = tmp_path / run.name / f"seed{run.seed}"
    undisturbed_store.export(run, there)
    assert load_fixture(there).digest == load_fixture(undisturbed_store.folder(run)).digest
    missing = replace(run, seed=77)
    undisturbed_store.export(missing, tmp_path / "none")
    assert not (tmp_path / "none").exists()
