"""Sixteen tiny runs, and drivers and workers that die at chosen places. Run as a program, it is a driver that dies:

python scenario.py OUT ENGINE ADDRESS
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

from grok.recipe import Recipe, get_recipe
from grok.sweep import plan
from grok.sweep.driver import Engine, Summary, drive
from grok.sweep.local import Local
from grok.sweep.plan import Batch
from grok.sweep.store import Store
from grok.train.run import Settings

SETTINGS = Settings(threads=1)
SMALL = ("p=23", "d_model=16", "n_heads=2", "d_head=8", "d_mlp=32", "steps=30")
DIES_AFTER = 6  # records; ten runs are left


def runs() -> list[Recipe]:
    return plan.runs(get_recipe("modadd-transformer"), (*SMALL, "weight_decay=0.3,1"), range(8))


def missing(store: Store) -> list[Batch]:
    return plan.batches([r for r in runs() if not store.done(r)], store.begun(), size=1)


def sweep(store: Store, engine: Engine) -> Summary:
    with store.locked():
        return drive(engine, missing(store), store, runs(), progress=False)


def finished(store: Store) -> list[str]:
    """The digest of every run as often as it was computed to its end and stored."""
    return [run for record in store.records() if record["event"] == "finished" for run in record["runs"]]


def lost(store: Store) -> list[dict]:
    return [record for record in store.records() if record["event"] == "lost"]


class KillsWorker(Local):
    """Kills the worker of the third batch in the middle: after it got the batch, before it answers."""

    submitted = 0

    def submit(self, batch: Batch) -> None:
        super().submit(batch)
        self.submitted += 1
        if self.submitted == 3:
            worker = next(w for w, b in self.busy.items() if b is batch)
            os.kill(worker.process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class KillsDriver(Store):
    """Kills this process, with batches in flight, once some are stored."""

    count: list[int] = field(default_factory=list)

    def record(self, *args, **kwargs) -> None:
        super().record(*args, **kwargs)
        self.count.append(1)
        if len(self.count) == DIES_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)


def main(out: str, engine: str, address: str) -> None:
    store = KillsDriver(Path(out))
    if engine == "local":
        sweep(store, KillsWorker(["cpu", "cpu"], SETTINGS, store.work))
    else:
        from grok.sweep import ray_engine

        ray_engine.connect(address, None)
        sweep(store, ray_engine.Ray(SETTINGS))


if __name__ == "__main__":
    main(*sys.argv[1:])
