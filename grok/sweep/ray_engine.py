"""A Ray cluster: one task a batch, with the CPU or GPU it takes declared.

Fixtures travel back as bytes and the driver writes them, so nodes need no shared storage; they need this package in
the same version. Ray's own retries are off: the driver retries, and records it, in the same way for every engine.
"""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from grok.errors import GrokError, Interrupted
from grok.recipe import Recipe
from grok.sweep.compute import Outcome, attempt, forget
from grok.sweep.plan import Batch
from grok.train.state import Settings

OBJECT_STORE_BYTES = 256 * 2**20  # a cluster started here; a light fixture is some 3 MB
CONNECT_SECONDS = 10.0
AHEAD = 2  # tasks in flight per slot, so that a slot does not wait for the driver


class Ray:
    """Submits batches to the cluster that this process is connected to (``connect``)."""

    def __init__(self, settings: Settings):
        import ray

        self.ray = ray
        gpu = settings.device != "cpu"
        self.resource = "GPU" if gpu else "CPU"
        self.settings = settings
        # spread: seeds of one batch cost the same, so the nodes should share them
        self.task = ray.remote(num_cpus=1, num_gpus=1 if gpu else 0, max_retries=0, scheduling_strategy="SPREAD")(
            _compute
        )
        self.running: dict[Any, Batch] = {}

    @property
    def room(self) -> int:
        """How many more batches may be submitted now. Follows the cluster as nodes come and go."""
        slots = int(self.ray.cluster_resources().get(self.resource, 0))
        return max(AHEAD * slots, 1) - len(self.running)

    def submit(self, batch: Batch) -> None:
        self.running[self.task.remote(batch.runs, self.settings)] = batch

    def wait(self) -> list[tuple[Batch, Outcome]]:
        """Blocks until at least one submitted batch has an outcome."""
        ready, _ = self.ray.wait(list(self.running), num_returns=1)
        return [(self.running.pop(reference), self._outcome(reference)) for reference in ready]

    def _outcome(self, reference: Any) -> Outcome:
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayError as error:  # the worker, its node or the object is gone
            return Outcome("lost", error=f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")

    def close(self) -> None:
        """Cancel what runs; a cluster started here ends with this process."""
        for reference in self.running:
            self.ray.cancel(reference, force=True)
        self.running.clear()
        self.ray.shutdown()


def connect(address: str | None, workers: int | None) -> None:
    """Connect to the cluster at ``address`` (``auto``: the one that runs on this machine), or start one here.

    Raises GrokError if Ray is not installed or there is no cluster at the address.
    """
    try:
        import ray
    except ImportError:
        raise GrokError("--on ray needs Ray: pip install 'grok-claims[cluster]'") from None
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "warning"}
    if address is None:
        try:
            ray.init(num_cpus=workers, object_store_memory=OBJECT_STORE_BYTES, include_dashboard=False, **quiet)
        except Exception as error:  # Ray has no type for a node that does not come up in its 30 seconds
            raise GrokError(f"Ray did not start here: {error}") from None
        return
    try:
        if ":" in address:  # Ray itself tries for minutes
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        ray.init(address=address, **quiet)
    except (OSError, ValueError) as error:
        raise GrokError(
            f"--address {address}: no Ray cluster answers ({error}); start one with: ray start --head"
        ) from None


def slots(device: str) -> tuple[str, int]:
    """The device a batch takes and how many the cluster has; ``auto`` takes GPUs if it has any. Raises GrokError."""
    import ray

    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0)) if device != "cpu" else 0
    if device == "cuda" and not gpus:
        raise GrokError(f"--device cuda: the Ray cluster has no GPU; it has {resources}")
    return ("cuda", gpus) if gpus else ("cpu", int(resources.get("CPU", 0)))


def _compute(recipes: tuple[Recipe, ...], settings: Settings) -> Outcome:
    """Runs on a worker. State is kept on its node, for a retry there; not beyond a result."""
    folder = Path(tempfile.gettempdir()) / f"grok-sweep-{os.getuid()}"
    try:
        outcome = attempt(recipes, settings, folder)
    except Interrupted as stop:
        return Outcome("lost", error=str(stop))
    if outcome.work is not None:
        forget(outcome.work)
    return outcome
