"""Sixteen tiny runs with a claim, and drivers and workers that die at chosen places. Run as a program, it is a driver
that dies:

python scenario.py OUT local
python scenario.py OUT ray ADDRESS CLAIMS
python scenario.py OUT judging PLACE SIGNAL CLAIMS
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from grok.recipe import Recipe, get_recipe
from grok.sweep import plan, ray_engine
from grok.sweep.driver import Engine, Summary, drive
from grok.sweep.local import Local
from grok.sweep.plan import Batch
from grok.sweep.store import Store
from grok.train.state import Settings

SETTINGS = Settings(threads=1)
SMALL = ("p=23", "d_model=16", "n_heads=2", "d_head=8", "d_mlp=32", "steps=30")
DIES_AFTER = 6  # records
CLAIMS = """
from grok.claim import claim, source

pytestmark = source("test", "A test", ref="none", fixture="modadd-transformer")

@claim("X1", "The first weight is positive", no_control="only a test")
def test_sign(model, evidence):
    value = evidence("first weight", float(model.W_E[0, 0]))
    assert value > 0
"""


def claims_in(folder: Path) -> Path:
    """A folder of claims below this one."""
    (folder / "claims").mkdir()
    (folder / "claims" / "test_some_claims.py").write_text(CLAIMS)
    return folder / "claims"


def runs() -> list[Recipe]:
    return plan.runs(get_recipe("modadd-transformer"), (*SMALL, "weight_decay=0.3,1"), range(8))


def missing(store: Store) -> list[Batch]:
    return plan.batches([r for r in runs() if not store.done(r)], store.begun(), size=1)


def sweep(store: Store, engine: Engine, claims: Path | None = None) -> Summary:
    with store.locked():
        return drive(engine, missing(store), store, runs(), claims=claims, progress=False)


def finished(store: Store) -> list[str]:
    """The digest of every run as often as it was computed to its end and stored."""
    done = [record for record in store.records() if (record["task"], record["event"]) == ("train", "finished")]
    return [run for record in done for run in record["runs"]]


def verdicts(store: Store) -> int:
    """How many runs have them."""
    return sum(1 for _ in store.runs.glob("*/verdicts.json"))


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


class KillsJudge(Local):
    """Kills the first worker that is to evaluate claims, once it has them."""

    killed = False

    def submit(self, batch: Batch) -> None:
        super().submit(batch)
        if batch.claims and not self.killed:
            self.killed = True
            worker = next(w for w, b in self.busy.items() if b is batch)
            os.kill(worker.process.pid, signal.SIGKILL)


class KillsRayWorker(ray_engine.Ray):
    """The same on Ray: the worker of the third batch kills itself after ten steps."""

    submitted = 0

    def submit(self, batch: Batch) -> None:
        self.submitted += 1
        if self.submitted != 3:
            return super().submit(batch)
        task = self.ray.remote(num_cpus=1, max_retries=0)(dies_in_the_middle)
        self.running[task.remote(batch.runs, self.settings)] = batch


def dies_in_the_middle(recipes: tuple[Recipe, ...], settings: Settings) -> None:
    from grok.train.engines import engine

    make, left = engine.make, iter(range(10))

    def made(*args: object) -> object:
        step = make(*args)
        advance = step.advance
        step.advance = lambda: advance() if next(left, None) is not None else os.kill(os.getpid(), signal.SIGKILL)
        return step

    engine.make = made
    ray_engine._compute(recipes, settings)


class KillsDriver(Store):
    """Kills this process once some runs are stored and one is lost: at least that one is missing."""

    def record(self, *args, **kwargs) -> None:
        super().record(*args, **kwargs)
        if len(self.records()) >= DIES_AFTER and lost(self):
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class EndsJudging(Store):
    """Sends this process a signal when the verdicts of so many runs are stored, and those of another are to be."""

    place: int
    number: int

    def put_verdicts(self, *args, **kwargs) -> None:
        if verdicts(self) == self.place:
            os.kill(os.getpid(), self.number)
        super().put_verdicts(*args, **kwargs)


def main(out: str, engine: str, *how: str) -> None:
    store = KillsDriver(Path(out))
    match engine, how:
        case "local", ():
            sweep(store, KillsWorker(["cpu", "cpu"], SETTINGS, store))
        case "ray", (address, claims):
            ray_engine.connect(address, None)
            sweep(store, KillsRayWorker(SETTINGS, store), Path(claims))
        case "judging", (place, number, claims):
            ends = EndsJudging(Path(out), int(place), int(number))
            sweep(ends, Local(["cpu", "cpu"], SETTINGS, ends), Path(claims))


if __name__ == "__main__":
    main(*sys.argv[1:])
