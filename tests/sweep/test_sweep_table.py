"""The table grows by parts, and no row is made twice."""

import shutil

import pytest
import scenario

from grok.sweep import driver, table
from grok.sweep.compute import Outcome
from grok.sweep.plan import Batch, digest
from grok.sweep.row import row
from grok.sweep.store import Store
from grok.sweep.table import Parts

pq = pytest.importorskip("pyarrow.parquet", reason="the table needs pyarrow: pip install 'grok-claims[cluster]'")


@pytest.fixture
def store(tmp_path, undisturbed_store):
    """The runs of the undisturbed sweep, in no table yet."""
    shutil.copytree(undisturbed_store.runs, tmp_path / "runs")
    return Store(tmp_path)


@pytest.fixture
def makes(monkeypatch):
    """The seeds of the runs whose rows the table makes from their folders."""
    made = []
    monkeypatch.setattr(table, "row", lambda folder, recipe: made.append(recipe.seed) or row(folder, recipe))
    return made


def _rows(store, runs):
    return [row(store.folder(run), run) for run in runs]


def test_a_sweep_that_stops_leaves_whole_parts_and_their_rows_are_not_made_again(
    tmp_path, undisturbed, undisturbed_store, monkeypatch, makes
):
    """Five rows a part; the driver stops after twelve runs with two parts full, and one more as it ends."""
    monkeypatch.setattr(table, "ROWS_PER_GROUP", 5)
    store, runs = Store(tmp_path), scenario.runs()

    class Stops:
        """Answers with the files of the undisturbed sweep, last run first; after twelve of them comes Ctrl-C."""

        def __init__(self):
            self.batches, self.left = [], 12

        def has_room(self, batch):
            return True

        def submit(self, batch):
            self.batches.append(batch)

        def wait(self):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            batch = self.batches.pop()
            folder = undisturbed_store.folder(batch.runs[0])
            files = {path.name: path.read_bytes() for path in folder.iterdir()}
            key = digest(batch.runs[0])
            return [(batch, Outcome("finished", {key: files}, {key: row(folder, batch.runs[0])}))]

        def close(self):
            pass

    with store.locked(), pytest.raises(KeyboardInterrupt):
        driver.drive(Stops(), [Batch((run,)) for run in runs], store, runs, progress=False)
    found = [pq.read_table(part) for part in table.parts(store)]
    assert [part.num_rows for part in found] == [5, 5, 2]
    assert found[0]["digest"].to_pylist() == [digest(run) for run in reversed(runs[-5:])]

    for run in runs[:4]:
        shutil.copytree(undisturbed_store.folder(run), store.folder(run))
    assert table.write(store, tmp_path / "runs.parquet") == 16
    assert pq.read_table(tmp_path / "runs.parquet").equals(undisturbed)
    assert sorted(makes) == [0, 1, 2, 3]
    assert table.parts(store) == []


def test_a_table_that_is_complete_is_left_alone(store, makes):
    path = store.out / "runs.parquet"
    table.write(store, path)
    before, _ = path.stat().st_ino, makes.clear()
    assert table.write(store, path) == 16
    assert (path.stat().st_ino, makes) == (before, [])


def test_a_row_is_made_again_if_its_run_changed(store, makes):
    """Verdicts that came later, and a run that was removed; a part of before does not bring the old row back."""
    path, (changed, removed, *_) = store.out / "runs.parquet", scenario.runs()
    parts = Parts(store)
    parts.add(_rows(store, [changed, removed]))
    parts.flush()
    table.write(store, path)
    parts.add(_rows(store, [changed]))
    parts.flush()
    makes.clear()
    store.put_verdicts(changed, {"verdicts.json": b'[{"id": "X1", "holds": true, "margin": 0.5}]'})
    shutil.rmtree(store.folder(removed))
    assert table.write(store, path) == 15
    assert makes == [changed.seed]
    (found,) = [r for r in pq.read_table(path).to_pylist() if r["digest"] == digest(changed)]
    assert found["claims"] == [{"claim": "X1", "holds": True, "margin": 0.5}]


def test_damaged_files_and_those_of_another_version_are_made_again(store, undisturbed, makes):
    path = store.out / "runs.parquet"
    table.write(store, path)
    pq.write_table(pq.read_table(path).replace_schema_metadata({}), path)
    store.parts.mkdir()
    (store.parts / "000001.parquet").write_bytes(b"PAR1")
    makes.clear()
    table.write(store, path)
    assert len(makes) == 16
    assert pq.read_table(path).equals(undisturbed)
