"""The same sweep on a two-node Ray cluster on this machine, with a worker, the driver and a node dying."""

import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
import scenario

from grok.errors import GrokError
from grok.sweep import ray_engine, table
from grok.sweep.plan import digest
from grok.sweep.store import Store

pytest.importorskip("ray", reason="Ray is not installed: pip install 'grok-claims[cluster]'")
OBJECT_STORE = 80 * 2**20  # Ray's least is 75 MiB


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    made = Cluster()
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=OBJECT_STORE, include_dashboard=False)
    yield made
    made.shutdown()


@dataclass(frozen=True)
class LosesNode(Store):
    """Once the first batch is stored, the second node is gone, with whatever runs on it."""

    cluster: Any

    def record(self, *args: Any, **kwargs: Any) -> None:
        super().record(*args, **kwargs)
        if len(self.cluster.worker_nodes) == 1:
            (node,) = self.cluster.worker_nodes
            self.cluster.remove_node(node, allow_graceful=False)


def test_worker_driver_and_node_die_and_the_table_is_that_of_a_local_sweep(tmp_path, judged, claims, cluster):
    store = LosesNode(tmp_path, cluster)
    command = [sys.executable, scenario.__file__, str(tmp_path), "ray", cluster.address, str(claims)]
    died = subprocess.run(command, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    first = scenario.finished(store)
    (lost,) = scenario.lost(store)
    assert scenario.DIES_AFTER - 1 <= len(first) < 16
    assert lost["runs"] == [digest(scenario.runs()[2])]

    ray_engine.connect(cluster.address, None)
    summary = scenario.sweep(store, ray_engine.Ray(scenario.SETTINGS, store), claims)
    assert not cluster.worker_nodes
    assert (summary.finished, summary.failed, summary.given_up, summary.unjudged) == (16, (), (), ())
    assert scenario.finished(store)[: len(first)] == first
    assert Counter(scenario.finished(store)) == Counter(map(digest, scenario.runs()))  # every run once
    table.write(store, tmp_path / "runs.parquet")
    assert (tmp_path / "runs.parquet").read_bytes() == judged


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:x"])
def test_no_cluster_at_the_address(address):
    with pytest.raises(GrokError, match="ray start --head"):
        ray_engine.connect(address, None)
