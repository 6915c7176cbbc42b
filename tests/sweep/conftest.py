"""The table that every way to sweep has to give."""

import pytest
import scenario

from grok.sweep import table
from grok.sweep.local import Local
from grok.sweep.store import Store


@pytest.fixture(scope="session")
def undisturbed_store(tmp_path_factory):
    """Sixteen runs from one worker that nothing happened to."""
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    scenario.sweep(store, Local(["cpu"], scenario.SETTINGS, store.work))
    return store


@pytest.fixture(scope="session")
def undisturbed(undisturbed_store):
    """Their table."""
    pq = pytest.importorskip("pyarrow.parquet", reason="the table needs pyarrow: pip install 'grok-claims[cluster]'")
    table.write(undisturbed_store, undisturbed_store.out / "runs.parquet")
    return pq.read_table(undisturbed_store.out / "runs.parquet")
