"""Claims on a sweep's runs, joined to its table."""

import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
import scenario

from grok.sweep import driver, local, plan, table, verdicts
from grok.sweep.local import Local
from grok.sweep.plan import Batch, Due, digest
from grok.sweep.row import row
from grok.sweep.store import Store


def test_each_run_gets_its_own_verdicts(undisturbed_store, claims):
    runs = scenario.runs()[:4]
    folders = [undisturbed_store.folder(run) for run in runs]
    outcome = verdicts.attempt(runs, folders, claims)
    assert outcome.kind == "finished", outcome.error
    for run, folder in zip(runs, folders, strict=True):
        (claim,), (measure,) = outcome.rows[digest(run)]["claims"], outcome.rows[digest(run)]["measures"]
        assert (claim["claim"], measure["measure"]) == ("X1", "first weight")
        assert claim["holds"] == (measure["value"] > 0)
        (stored,) = json.loads(outcome.files[digest(run)]["verdicts.json"])
        assert stored["evidence"][0]["value"] == measure["value"]
        assert outcome.rows[digest(run)].items() >= row(folder, run).items()
    assert len({outcome.rows[digest(run)]["measures"][0]["value"] for run in runs}) == len(runs)


def test_kills_of_a_sweep_with_claims_give_the_same_table(tmp_path, judged, claims):
    """The driver is stopped by Ctrl-C, and then killed, among the verdicts of a group; then a worker is killed."""
    pytest.importorskip("pyarrow.parquet")
    store = Store(tmp_path)
    for place, number in ((3, signal.SIGINT), (9, signal.SIGKILL)):
        command = [
            sys.executable,
            scenario.__file__,
            str(tmp_path),
            "judging",
            str(place),
            str(int(number)),
            str(claims),
        ]
        died = subprocess.run(command, capture_output=True, text=True)
        assert died.returncode == -number, died.stderr
        assert scenario.verdicts(store) == place
    summary = scenario.sweep(store, scenario.KillsJudge(["cpu"], scenario.SETTINGS, store), claims)
    assert (summary.finished, summary.given_up, summary.unjudged) == (16, (), ())
    assert [record["task"] for record in scenario.lost(store)] == ["claims"]
    assert Counter(scenario.finished(store)) == Counter(map(digest, scenario.runs()))  # every run is trained once
    table.write(store, tmp_path / "runs.parquet")
    assert (tmp_path / "runs.parquet").read_bytes() == judged


def test_claims_that_cannot_be_evaluated_are_named_and_the_runs_are_kept(tmp_path, undisturbed_store):
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "test_wrong.py").write_text("this is no Python")
    store = Store(tmp_path / "sweep")
    store.runs.mkdir(parents=True)
    runs = scenario.runs()[:2]
    for run in runs:
        store.folder(run).symlink_to(undisturbed_store.folder(run))
    engine = Local(["cpu"], scenario.SETTINGS, store)
    summary = driver.drive(engine, [], store, runs, claims=tmp_path / "claims", progress=False)
    assert (summary.finished, summary.unjudged) == (2, tuple(runs))
    (record,) = store.records()
    assert (record["task"], record["event"]) == ("claims", "failed")
    assert "SyntaxError" in record["error"]


def test_claims_do_not_wait_for_a_gpu(tmp_path):
    engine = Local(["cuda:0"], replace(scenario.SETTINGS, device="cuda"), Store(tmp_path))
    train = Batch(tuple(scenario.runs()[:2]))
    judge = replace(train, claims=tmp_path)
    assert (engine.has_room(train), engine.has_room(judge)) == (True, False)
    engine.free = local.beside(["cuda:0"])
    assert (engine.has_room(train), engine.has_room(judge)) == (False, True)
    assert local.beside(["cpu", "cpu"]) == []


def test_a_group_is_due_when_the_last_of_its_runs_has_ended():
    runs = scenario.runs()[:5]
    due = Due(runs, training=[*runs[1:], runs[2]], size=2)  # one run is in two batches
    assert due.now() == []
    assert due.ended([runs[2], runs[4]]) == [(runs[4],)]
    assert due.ended([runs[3], runs[1]]) == [(runs[0], runs[1])]
    assert due.ended([runs[2]]) == [(runs[2], runs[3])]
    other = plan.runs(scenario.runs()[0], ["weight_decay=0.5"], [1])
    assert Due([*runs, *other], training=[], size=8).now() == [tuple(runs), tuple(other)]
