"""The loop of a sweep, for every kind of worker: submit batches and claims, store the results, retry what was lost."""

from __future__ import annotations

import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from grok.progress import bar as progress_bar
from grok.recipe import Recipe
from grok.sweep import compute, shared
from grok.sweep.compute import Outcome
from grok.sweep.plan import Batch, Due, digest
from grok.sweep.store import Store
from grok.sweep.table import Parts

ATTEMPTS = 4  # a batch that is lost so often is given up; the next start of the sweep tries it again


class Engine(Protocol):
    """Something that computes batches."""

    def has_room(self, batch: Batch) -> bool:
        """Whether the batch may be submitted now."""
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
    unjudged: tuple[Recipe, ...] = ()  # finished, but their claims could not be evaluated


def drive(
    engine: Engine,
    batches: Iterable[Batch],
    store: Store,
    runs: Sequence[Recipe],
    *,
    claims: Path | None = None,
    state: str | None = None,
    progress: bool = True,
) -> Summary:
    """Compute batches until none is left, then the claims that are due, if ``claims`` says where they are.

    Every outcome is recorded, every finished run is stored at once, and its row is appended to the table's parts.
    ``state``: URI of the workers' state (``shared``), which goes when its batch is stored.
    """
    training, judging = deque(batches), deque[Batch]()
    due = Due([run for run in runs if claims and not store.judged(run)], [r for b in training for r in b.runs])
    parts, submitted = Parts(store), 0
    given_up: list[Recipe] = []
    done = sum(map(store.done, runs))
    shown: dict[str, Any] = {"desc": "sweep", "unit": "run", "disable": not progress, "smoothing": 0}  # mean so far

    def judge(groups: Iterable[Sequence[Recipe]]) -> None:
        for group in groups:
            if here := tuple(run for run in group if store.finished(run) and not store.judged(run)):
                judging.append(Batch(here, claims=claims))

    with _terminated_is_interrupted(), progress_bar(total=len(runs), initial=done, **shown) as bar:
        try:
            judge(due.now())
            while training or judging or submitted:
                for queue in (judging, training):
                    while queue and engine.has_room(queue[0]):
                        engine.submit(queue.popleft())
                        submitted += 1
                for batch, outcome in engine.wait():
                    submitted -= 1
                    # a run that will be judged has its row from its claims; one that was stored before keeps its own
                    rowed = [r for r in batch.runs if batch.claims or not (r in due.group or store.done(r))]
                    again = _take(store, batch, outcome)  # before it is recorded: a record of a run is a stored run
                    store.record(batch, outcome)
                    (judging if batch.claims else training).extendleft(reversed(again))
                    if not again and not batch.claims:
                        judge(due.ended(batch.runs))
                        bar.update(len(batch.runs))
                        given_up += batch.runs if outcome.kind == "lost" else ()
                    parts.add(outcome.rows[digest(r)] for r in rowed if digest(r) in outcome.rows)
                    if state and outcome.work:
                        shared.forget(state, [outcome.work.name])
                    _tell(batch, outcome, again)
        finally:
            engine.close()
            parts.flush()
    store.sweep_up()
    if state:
        shared.forget(state, [key for key, of in shared.begun(state).items() if all(map(store.done, of))])
    failed = tuple(run for run in runs if store.failed(run))
    unjudged = tuple(run for run in runs if claims and store.finished(run) and not store.judged(run))
    return Summary(sum(map(store.done, runs)) - len(failed), failed, tuple(given_up), unjudged)


def _take(store: Store, batch: Batch, outcome: Outcome) -> list[Batch]:
    """Store an outcome. Returns the batches that must be computed again."""
    if outcome.kind == "finished":
        put = store.put_verdicts if batch.claims else store.put
        for run in batch.runs:
            put(run, outcome.files[digest(run)])
        if outcome.work is not None:
            compute.forget(outcome.work)
        return []
    if outcome.kind == "failed" and batch.claims:
        return []
    if outcome.kind == "failed":
        if len(batch.runs) > 1:  # one run may spoil a batch: find it, and keep the others
            return batch.singles()
        store.put_failure(batch.runs[0], outcome.error)
        return []
    retried = batch.retried()
    return [retried] if retried.attempts < ATTEMPTS else []


def _tell(batch: Batch, outcome: Outcome, again: Sequence[Batch]) -> None:
    """Say on the terminal what else than a finished batch came of an attempt."""
    what, error = f"{'the claims on ' if batch.claims else ''}{len(batch.runs)} runs", outcome.error.strip()
    if outcome.kind == "lost" and again:
        _note(f"lost {what}, trying again: {error.splitlines()[-1]}")
    elif outcome.kind == "lost":
        _note(f"gave up {what} after {ATTEMPTS} attempts; last: {error}")
    elif error and (batch.claims or outcome.kind == "finished"):
        _note(error)


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
