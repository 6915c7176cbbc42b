"""The loop of a sweep, for every kind of worker: submit batches, store the results, retry lost batches."""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from tqdm import tqdm

from grok.progress import bar as progress_bar
from grok.recipe import Recipe
from grok.sweep import compute
from grok.sweep.compute import Outcome
from grok.sweep.plan import Batch
from grok.sweep.store import Store

ATTEMPTS = 4  # a batch that is lost so often is given up; the next start of the sweep tries it again


class Engine(Protocol):
    """Something that computes batches."""

    @property
    def room(self) -> int:
        """How many more batches may be submitted now."""
        ...

    def submit(self, batch: Batch) -> None: ...

    def wait(self) -> list[tuple[Batch, Outcome]]:
        """Blocks until at least one submitted batch has an outcome."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Summary:
    """How a sweep ended."""

    finished: int
    failed: tuple[Recipe, ...]  # the training diverged
    given_up: tuple[Recipe, ...]  # lost ``ATTEMPTS`` times


def drive(
    engine: Engine, batches: Iterable[Batch], store: Store, runs: Sequence[Recipe], *, progress: bool = True
) -> Summary:
    """Compute batches until none is left. Every outcome is recorded, and every finished run is stored at once."""
    queue, submitted = deque(batches), 0
    given_up: list[Recipe] = []
    done = sum(map(store.done, runs))
    shown: dict[str, Any] = {"desc": "sweep", "unit": "run", "disable": not progress, "smoothing": 0}  # mean so far
    with _terminated_is_interrupted(), progress_bar(total=len(runs), initial=done, **shown) as bar:
        try:
            while queue or submitted:
                while queue and engine.room > 0:
                    engine.submit(queue.popleft())
                    submitted += 1
                for batch, outcome in engine.wait():
                    submitted -= 1
                    again = _take(store, batch, outcome)  # before it is recorded: a record of a run is a stored run
                    store.record(batch.runs, outcome)
                    queue.extendleft(reversed(again))
                    if not again and outcome.kind == "lost":
                        given_up += batch.runs
                        _note(
                            f"gave up {len(batch.runs)} runs after {ATTEMPTS} attempts; last: {outcome.error.strip()}"
                        )
                    elif outcome.kind == "lost":
                        _note(f"lost {len(batch.runs)} runs, trying again: {outcome.error.strip().splitlines()[-1]}")
                    bar.update(len(batch.runs) if not again else 0)
        finally:
            engine.close()
    store.sweep_up()
    failed = tuple(run for run in runs if store.failed(run))
    return Summary(sum(map(store.done, runs)) - len(failed), failed, tuple(given_up))


def _take(store: Store, batch: Batch, outcome: Outcome) -> list[Batch]:
    """Store an outcome. Returns the batches that must be computed again."""
    if outcome.kind == "finished":
        for run in batch.runs:
            store.put(run, outcome.files[compute.digest(run)])
        if outcome.work is not None:
            compute.forget(outcome.work)
        return []
    if outcome.kind == "failed":
        if len(batch.runs) > 1:  # one run may spoil a batch: find it, and keep the others
            return batch.singles()
        store.put_failure(batch.runs[0], outcome.error)
        return []
    retried = batch.retried()
    return [retried] if retried.attempts < ATTEMPTS else []


def _note(message: str) -> None:
    tqdm.write(f"grok: {message}", file=sys.stderr)


@contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """SIGTERM stops a sweep as Ctrl-C does: the workers save their state."""

    def stop(number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
