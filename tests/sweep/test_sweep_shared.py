"""A run that stops on one machine goes on at another from the state at a URI, with the same bits."""

import os
import signal
from dataclasses import replace

import fsspec
import pytest
import scenario

from grok.errors import GrokError
from grok.sweep import compute, driver, shared
from grok.sweep.compute import Outcome
from grok.sweep.plan import Batch, digest
from grok.sweep.store import Store
from grok.train import run
from grok.train.engines import engine
from grok.train.run import Interrupted

STEPS, STOPS_AT = 330, 250
RUNS = [replace(recipe, steps=STEPS) for recipe in scenario.runs()[:2]]


@pytest.fixture
def uri(request, tmp_path):
    yield f"{getattr(request, 'param', 'file')}://{tmp_path}/shared"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The outcome of an attempt that nothing stops."""
    return compute.attempt(RUNS, scenario.SETTINGS, tmp_path_factory.mktemp("whole"))


def _stops(monkeypatch, how):
    """The next run calls ``how`` at a step."""
    make = engine.make

    def made(*args):
        step, left = make(*args), iter(range(STOPS_AT))
        advance = step.advance
        step.advance = lambda: (next(left, None) is None and how()) or advance()
        monkeypatch.setattr(engine, "make", make)
        return step

    monkeypatch.setattr(engine, "make", made)


def _same(outcome, whole):
    assert outcome.kind == "finished", outcome.error
    for key, files in whole.files.items():
        for name in ("model.safetensors", "trajectory.json"):
            assert outcome.files[key][name] == files[name]
    assert outcome.rows == whole.rows


@pytest.mark.parametrize("uri", ["file", "memory"], indirect=True)
def test_a_stopped_run_goes_on_elsewhere_with_the_same_bits(tmp_path, uri, whole, monkeypatch):
    _stops(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        compute.attempt(RUNS, scenario.SETTINGS, tmp_path / "one", uri)
    assert list(shared.begun(uri).values()) == [RUNS]

    outcome = compute.attempt(RUNS, scenario.SETTINGS, tmp_path / "two", uri)
    assert outcome.steps == (STEPS - STOPS_AT - 1) * len(RUNS)
    _same(outcome, whole)


def test_a_machine_that_is_lost_costs_what_was_not_saved(tmp_path, uri, whole, monkeypatch):
    """It saves after every step; then it is gone without a word."""

    def lost():
        raise OSError("the machine is gone")

    monkeypatch.setattr(run, "STATE_EVERY_SECONDS", -1.0)
    _stops(monkeypatch, lost)
    assert compute.attempt(RUNS, scenario.SETTINGS, tmp_path / "one", uri).kind == "lost"
    monkeypatch.undo()
    outcome = compute.attempt(RUNS, scenario.SETTINGS, tmp_path / "two", uri)
    assert outcome.steps == (STEPS - STOPS_AT) * len(RUNS)
    _same(outcome, whole)


def test_a_state_that_lacks_rows_is_not_used(tmp_path, uri, whole, monkeypatch):
    _stops(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        compute.attempt(RUNS, scenario.SETTINGS, tmp_path / "one", uri)
    fs, root = fsspec.core.url_to_fs(uri)
    (rows,) = fs.glob(f"{root}/*/snapshots-0-3.f32")
    fs.pipe_file(rows.replace("0-3", "1-3"), fs.cat_file(rows)[len(fs.cat_file(rows)) // 3 :])
    fs.rm(rows)
    outcome = compute.attempt(RUNS, scenario.SETTINGS, tmp_path / "two", uri)
    assert outcome.steps == STEPS * len(RUNS)
    assert "snapshot 0 is missing" in outcome.error
    _same(outcome, whole)


def test_a_save_that_fails_is_told_and_the_training_goes_on(tmp_path, uri, whole, monkeypatch):
    def full(fs, path, data):
        raise OSError("quota exceeded")

    monkeypatch.setattr(run, "STATE_EVERY_SECONDS", -1.0)
    monkeypatch.setattr(shared, "_put", full)
    outcome = compute.attempt(RUNS, scenario.SETTINGS, tmp_path / "one", uri)
    assert "quota exceeded" in outcome.error
    _same(outcome, whole)


def test_the_driver_removes_the_state_of_what_is_stored(tmp_path, uri):
    """That of a batch that it stores, and that of one that was stored before it was killed."""
    one, two, other = RUNS[0], RUNS[1], replace(RUNS[0], seed=9)
    fs, root = fsspec.core.url_to_fs(uri)
    for key, recipe in (("key1", one), ("key2", two), ("key3", other)):
        fs.makedirs(f"{root}/{key}")
        fs.pipe_file(f"{root}/{key}/run.json", shared.files.json_bytes({"recipes": [recipe.to_json()]}))
    store, card = Store(tmp_path / "out"), {"card.json": b"{}"}

    class Answers:
        def has_room(self, batch):
            return True

        def submit(self, batch):
            self.batch = batch

        def wait(self):
            assert len(shared.begun(uri)) == 3
            return [(self.batch, Outcome("finished", {digest(one): card}, work=tmp_path / "key1"))]

        def close(self):
            assert list(shared.begun(uri)) == ["key2", "key3"]

    with store.locked():
        store.put(two, card)
        driver.drive(Answers(), [Batch((one,))], store, [one, two], state=uri, progress=False)
    assert shared.begun(uri) == {"key3": [other]}


def test_a_uri_that_nothing_can_write_to_is_refused(tmp_path):
    assert shared.opened(str(tmp_path / "new")) == f"file://{tmp_path}/new"
    (tmp_path / "file").touch()
    with pytest.raises(GrokError, match="cannot write there"):
        shared.opened(str(tmp_path / "file" / "below"))
    with pytest.raises(GrokError, match="--state nowhere://x"):
        shared.opened("nowhere://x")
