"""This machine: persistent worker processes, one thread each on the CPU, or one process a GPU.

A process for the CPU also evaluates claims. Beside GPUs it does nothing else.

Not ``ProcessPoolExecutor``: there one killed worker breaks the pool and takes the others' batches with it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import connection
from pathlib import Path

import torch

from grok.errors import GrokError, Interrupted
from grok.sweep import verdicts
from grok.sweep.compute import Outcome, attempt
from grok.sweep.plan import Batch
from grok.sweep.store import Store
from grok.train.state import Settings

STOP_SECONDS = 60.0  # for a worker to save its state


def devices(device: str, workers: int | None) -> list[str]:
    """The device of each worker: every GPU, unless ``device`` is cpu; without a GPU every core. Raises GrokError."""
    gpus = torch.cuda.device_count() if device != "cpu" else 0
    if device == "cuda" and not gpus:
        raise GrokError("--device cuda: torch finds no GPU here; `grok env` shows what it finds")
    if gpus:
        return [f"cuda:{i % gpus}" for i in range(workers or gpus)]
    return ["cpu"] * (workers or len(os.sched_getaffinity(0)))


def beside(devices: Sequence[str]) -> list[str]:
    """Further workers that evaluate claims beside those: none beside the CPU's, else one for each core left."""
    return [] if "cpu" in devices else ["cpu"] * max(1, len(os.sched_getaffinity(0)) - len(devices))


class Local:
    """Worker processes with a pipe each. ``devices`` has one entry a worker: "cpu", "cuda:0", …

    state: URI at which the workers keep their state too (``shared``).
    """

    def __init__(self, devices: Sequence[str], settings: Settings, store: Store, state: str | None = None):
        self.context = multiprocessing.get_context("spawn")  # a forked child could not use CUDA
        self.settings, self.store, self.state = settings, store, state
        self.idle: list[_Worker] = []
        self.free = list(devices)
        self.busy: dict[_Worker, Batch] = {}

    def has_room(self, batch: Batch) -> bool:
        """Whether there is a worker for the batch now, or room for one."""
        return any(self._fits(device, batch) for device in (*self.free, *(worker.device for worker in self.idle)))

    def submit(self, batch: Batch) -> None:
        worker = next((worker for worker in self.idle if self._fits(worker.device, batch)), None)
        if worker is not None:
            self.idle.remove(worker)
        else:
            device = next(device for device in self.free if self._fits(device, batch))
            self.free.remove(device)
            worker = _Worker(self.context, device, self.settings, self.store.work, self.state)
        self.busy[worker] = batch
        with suppress(OSError):  # it died while idle: wait() reports the batch as lost
            worker.pipe.send((batch, [self.store.folder(run) for run in batch.runs]))

    def _fits(self, device: str, batch: Batch) -> bool:
        return device.partition(":")[0] == ("cpu" if batch.claims else self.settings.device)

    def wait(self) -> list[tuple[Batch, Outcome]]:
        """Blocks until at least one submitted batch has an outcome."""
        ends = {worker.pipe: worker for worker in self.busy}
        ready = connection.wait(list(ends))
        return [(self.busy[ends[pipe]], self._outcome(ends[pipe])) for pipe in ready]  # type: ignore[index]

    def _outcome(self, worker: _Worker) -> Outcome:
        del self.busy[worker]
        try:
            outcome = worker.pipe.recv()  # a dead worker's pipe is at its end
        except (EOFError, OSError):
            worker.process.join()
            self.free.append(worker.device)
            code = worker.process.exitcode
            return Outcome("lost", error=f"worker process {worker.process.pid} ended with exit code {code}")
        self.idle.append(worker)
        return outcome

    def close(self) -> None:
        """Stop the workers; those in a batch save their state first."""
        for worker in self.busy:
            worker.process.terminate()
        for worker in self.idle:
            worker.pipe.close()
        for worker in (*self.idle, *self.busy):
            worker.process.join(STOP_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
        self.idle, self.busy = [], {}


class _Worker:
    def __init__(
        self,
        context: multiprocessing.context.SpawnContext,
        device: str,
        settings: Settings,
        work: Path,
        state: str | None,
    ):
        self.device = device
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(theirs, replace(settings, device=device), work, state), name=f"grok-sweep-{device}"
        )
        self.process.start()
        theirs.close()  # so that its death is the end of the pipe


def _serve(pipe: connection.Connection, settings: Settings, work: Path, state: str | None) -> None:
    """A worker's life: batches in, outcomes out, until it is terminated or its driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides
    threading.Thread(target=_end_with_driver, daemon=True).start()
    while True:
        try:
            batch, folders = pipe.recv()
        except EOFError:
            return
        try:
            if batch.claims:
                pipe.send(verdicts.attempt(batch.runs, folders, batch.claims))
            else:
                pipe.send(attempt(batch.runs, settings, work, state))
        except (Interrupted, BrokenPipeError):
            return


def _end_with_driver() -> None:
    """Ask this process to save its state and end as soon as the driver is gone, even if it was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
