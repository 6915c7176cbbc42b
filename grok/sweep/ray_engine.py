"""A Ray cluster: one task a batch, with the CPU or GPU it takes declared.

Fixtures travel back as bytes and the driver writes them, so nodes need no shared storage; they need this package in
the same version. To evaluate claims, fixtures and the files of the claims travel to a node in the same way. Ray's own
retries are off: the driver retries, and records it, in the same way for every engine.
"""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from grok import files
from grok.errors import GrokError, Interrupted
from grok.recipe import Recipe
from grok.sweep import verdicts
from grok.sweep.compute import Files, Outcome, attempt, forget
from grok.sweep.plan import Batch, digest
from grok.sweep.store import Store
from grok.train.state import Settings

OBJECT_STORE_BYTES = 256 * 2**20  # a cluster started here; a light fixture is some 3 MB
CONNECT_SECONDS = 10.0
SENT_BYTES = 64 * 2**20  # of the claims, or of a fixture
AHEAD = 2  # tasks in flight per slot, so that a slot does not wait for the driver


class Ray:
    """Submits batches to the cluster that this process is connected to (``connect``)."""

    def __init__(self, settings: Settings, store: Store, state: str | None = None):
        import ray

        self.ray = ray
        self.settings, self.store, self.state = settings, store, state
        gpu = settings.device != "cpu"
        self.trained_on = "GPU" if gpu else "CPU"
        # spread: seeds of one batch cost the same, so the nodes should share them
        options: dict[str, Any] = {"num_cpus": 1, "max_retries": 0, "scheduling_strategy": "SPREAD"}
        self.train: Any = ray.remote(num_gpus=1 if gpu else 0, **options)(_compute)
        self.judge: Any = ray.remote(**options)(_judge)
        self.claims: dict[Path, Any] = {}  # claims → their files in the object store
        self.running: dict[Any, Batch] = {}

    def has_room(self, batch: Batch) -> bool:
        """Whether the batch may be submitted now. Follows the cluster as nodes come and go."""
        resource = self._resource(batch)
        slots = int(self.ray.cluster_resources().get(resource, 0))
        return sum(self._resource(other) == resource for other in self.running.values()) < max(AHEAD * slots, 1)

    def submit(self, batch: Batch) -> None:
        if batch.claims is None:
            task = self.train.remote(batch.runs, self.settings, self.state)
        else:
            if batch.claims not in self.claims:
                self.claims[batch.claims] = self.ray.put(_files(batch.claims))
            fixtures = [_files(self.store.folder(run)) for run in batch.runs]
            task = self.judge.remote(batch.runs, fixtures, self.claims[batch.claims])
        self.running[task] = batch

    def _resource(self, batch: Batch) -> str:
        return "CPU" if batch.claims else self.trained_on

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


def _compute(recipes: tuple[Recipe, ...], settings: Settings, state: str | None = None) -> Outcome:
    """Runs on a worker. State is kept on its node, for a retry there; not beyond a result."""
    folder = Path(tempfile.gettempdir()) / f"grok-sweep-{os.getuid()}"
    try:
        outcome = attempt(recipes, settings, folder, state)
    except Interrupted as stop:
        return Outcome("lost", error=str(stop))
    if outcome.work is not None:
        forget(outcome.work)
    return outcome


def _judge(recipes: tuple[Recipe, ...], fixtures: list[Files], claims: Files) -> Outcome:
    """Runs on a worker: the claims on runs whose files, like those of the claims, came with the task."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder) / "claims"
        folders = [Path(folder) / "runs" / digest(recipe) for recipe in recipes]
        for target, contents in zip((there, *folders), (claims, *fixtures), strict=True):
            for name, data in contents.items():
                files.write_bytes(target / name, data)
        try:
            return verdicts.attempt(recipes, folders, there)
        except Interrupted as stop:
            return Outcome("lost", error=str(stop))


def _files(path: Path) -> Files:
    """The contents of a file, or of a folder and its subfolders by relative path, without what Python or git put there.

    Raises GrokError if they are too many bytes to send.
    """
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    top = path.parent if path.is_file() else path
    names = {file.relative_to(top): file for file in found}
    kept = {
        name.as_posix(): file
        for name, file in names.items()
        if not any(part == "__pycache__" or part.startswith(".") for part in name.parts)
    }
    if (size := sum(file.stat().st_size for file in kept.values())) > SENT_BYTES:
        raise GrokError(f"{path}: {size / 2**20:.0f} MiB to send to each node, expected at most {SENT_BYTES // 2**20}")
    return {name: file.read_bytes() for name, file in kept.items()}
