"""The table that every way to sweep has to give."""

import shutil

import pytest
import scenario

from grok.sweep import table
from grok.sweep.local import Local
from grok.sweep.store import Store


@pytest.fixture(scope="session")
def undisturbed_store(tmp_path_factory):
    """Sixteen runs from one worker that nothing happened to."""
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    scenario.sweep(store, Local(["cpu"], scenario.SETTINGS, store))
    return store


@pytest.fixture(scope="session")
def undisturbed(undisturbed_store):
    """Their table."""
    pq = pytest.importorskip("pyarrow.parquet", reason="the table needs pyarrow: pip install 'grok-claims[cluster]'")
    table.write(undisturbed_store, undisturbed_store.out / "runs.parquet")
    return pq.read_table(undisturbed_store.out / "runs.parquet")


@pytest.fixture(scope="session")
def claims(tmp_path_factory):
    """A folder of claims."""
    return scenario.claims_in(tmp_path_factory.mktemp("claims"))


@pytest.fixture(scope="session")
def judged(tmp_path_factory, undisturbed_store, claims):
    """The bytes of the table of the same runs with claims."""
    pytest.importorskip("pyarrow.parquet")
    store = Store(tmp_path_factory.mktemp("judged") / "sweep")
    shutil.copytree(undisturbed_store.runs, store.runs)
    scenario.sweep(store, Local(["cpu"], scenario.SETTINGS, store), claims)
    assert scenario.verdicts(store) == 16
    table.write(store, store.out / "runs.parquet")
    return (store.out / "runs.parquet").read_bytes()
