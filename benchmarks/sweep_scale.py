"""How a sweep behaves toward 10⁵ runs: what one machine can measure, and a simulation with those figures.

    python -m benchmarks.sweep_scale --seconds-per-run 1300 [--workers 100 1000 10000] [--ray]

Measured: planning, storing, restarting, the table and its rows, Ray's tasks with and without a fixture in them.
Simulated: workers that fail, one driver that stores what they send. Nothing is trained.
"""

from __future__ import annotations

import heapq
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from grok.recipe import Recipe, get_recipe
from grok.sweep import plan, row, table
from grok.sweep.compute import Files, Outcome
from grok.sweep.store import Store
from grok.train.record import COLUMNS

RUNS = 100_000
FOLDERS = 20_000  # planned, and of finished runs for the time to start again
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.bytes(4 * 226_048)  # of a p = 113 transformer, float32


@dataclass
class Clock:
    """Seconds of one piece of work. cpu: of this process, which a busy machine stretches less than the wall time."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def timed(what: str, count: int) -> Iterator[Clock]:
    clock, wall, cpu = Clock(), time.perf_counter(), time.process_time()
    yield clock
    clock.wall, clock.cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"{what}: {clock.cpu / count * 1e3:.3f} ms CPU, {clock.wall / count * 1e3:.3f} ms wall, of {count:,}",
        flush=True,
    )


def light_fixture(recipe: Recipe) -> Files:
    """Files of the sizes of a real light fixture at p = 113: two sets of weights, 401 snapshots of ten columns."""
    steps = list(range(0, recipe.steps + 1, 100))
    values = RANDOM.lognormal(size=(len(COLUMNS), len(steps)))
    columns = {name: row.tolist() for name, row in zip(COLUMNS, values, strict=True)}
    card = {"recipe": recipe.to_json(), "device": "cpu", "engine": "manual", "threads": 1, "torch": "2"}
    card |= {"test_loss": 1e-7, "sha256": {"model.safetensors": "0" * 64}}
    trajectory = {"steps": steps, "columns": columns, "key_frequencies": [1, 2, 3]}
    return {
        "model.safetensors": WEIGHTS,
        "checkpoints.safetensors": WEIGHTS,
        "trajectory.json": json.dumps(trajectory).encode(),
        "card.json": json.dumps(card).encode(),
    }


def measure(folder: Path, n: int) -> float:
    """Prints what planning, storing and reading cost; returns the driver's seconds per stored run."""
    recipe, store = get_recipe("modadd-transformer"), Store(folder / "small")
    with timed("plan a run, with its digest", FOLDERS):
        runs = plan.runs(recipe, [], range(FOLDERS))
    contents = [light_fixture(run) for run in runs[:n]]
    print(f"a light fixture: {sum(map(len, contents[0].values())) / 1e6:.2f} MB")
    store.runs.mkdir(parents=True)
    with timed("store a run, with fsync, and its record", n) as storing:
        for run, files in zip(runs, contents, strict=False):
            store.put(run, files)
            store.record(plan.Batch((run,)), Outcome("finished", worker="host:1", seconds=1.0, steps=1))
    with timed("make a row, which a worker does", n):
        rows = [row.row(store.folder(run), run) for run in runs[:n]]
    parts = table.Parts(store)
    with timed("append rows to the table's parts", n):
        parts.add(rows)
        parts.flush()
    with timed("put the parts in order as the table", n):
        table.write(store, store.out / "runs.parquet")
    print(f"the table: {(store.out / 'runs.parquet').stat().st_size / n / 1e3:.1f} kB a run")
    full = Store(folder / "full")
    for run in runs:
        full.folder(run).mkdir(parents=True)
        (full.folder(run) / "card.json").touch()
    with timed("find out at a restart what is done", FOLDERS):
        missing = [run for run in runs if not full.done(run)]
    assert not missing
    return storing.wall / n


def measure_ray(n: int) -> float:
    """Prints what a task costs; returns the driver's seconds per batch that brings a fixture back."""
    import ray

    from grok.sweep import ray_engine

    ray_engine.connect(None, None)
    contents = light_fixture(get_recipe("modadd-transformer"))
    empty, full = ray.remote(num_cpus=1)(lambda: None), ray.remote(num_cpus=1)(lambda: contents)
    ray.get([full.remote() for _ in range(8)])  # starts the workers
    with timed("Ray: a task that does nothing", 10 * n):
        ray.get([empty.remote() for _ in range(10 * n)])
    with timed("Ray: a task that brings a light fixture back", n) as bringing:
        running = [full.remote() for _ in range(8)]
        for i in range(n):
            (ready, *_), running = ray.wait(running, num_returns=1)
            ray.get(ready)
            if i < n - 8:
                running.append(full.remote())
    ray.shutdown()
    return bringing.wall / n


@dataclass(frozen=True)
class Simulated:
    hours: float
    wasted: float  # share of the workers' time in attempts that were lost
    driver: float  # share of the time in which the driver is busy
    given_up: int  # runs lost four times


def simulate(
    runs: int, workers: int, seconds: float, driver_seconds: float, hours_between_failures: float, rng_seed: int = 0
) -> Simulated:
    """Event by event: workers with exponential failures that lose the attempt, one driver that takes results in turn.

    A worker waits for its next batch until the driver took its result; a lost worker is back after a minute.
    """
    rng = np.random.default_rng(rng_seed)
    queue, given_up, wasted, busy, driver_free, end = [0] * runs, 0, 0.0, 0.0, 0.0, 0.0
    events: list[tuple[float, int, int, bool]] = []  # time, worker, attempts so far, lost

    def start(at: float, worker: int) -> None:
        nonlocal wasted
        if not queue:
            return
        attempts, duration = queue.pop(), seconds * rng.lognormal(sigma=0.1)
        failure = rng.exponential(hours_between_failures * 3600)
        if failure < duration:
            wasted += failure
            heapq.heappush(events, (at + failure, worker, attempts + 1, True))
        else:
            heapq.heappush(events, (at + duration, worker, attempts, False))

    for worker in range(workers):
        start(0.0, worker)
    while events:
        at, worker, attempts, lost = heapq.heappop(events)
        if lost and attempts < 4:
            queue.append(attempts)
        given_up += lost and attempts >= 4
        if not lost:
            driver_free = max(driver_free, at) + driver_seconds
            busy += driver_seconds
            at = driver_free
        end = max(end, at)
        start(at + 60 * lost, worker)
    return Simulated(end / 3600, wasted / (wasted + runs * seconds), busy / end, given_up)


def main(
    seconds_per_run: float,
    workers: tuple[int, ...] = (100, 1000, 10_000),
    n: int = 100,
    ray: bool = False,
    driver_seconds: float | None = None,
) -> None:
    """Measure here, then simulate 10⁵ runs; with --driver-seconds simulate only."""
    if driver_seconds is None:
        with tempfile.TemporaryDirectory() as folder:
            driver_seconds = measure(Path(folder), n)
        driver_seconds += measure_ray(n) if ray else 0.0
    print(f"\ndriver: {driver_seconds * 1e3:.1f} ms a run; {RUNS:,} runs of {seconds_per_run:g} s, simulated:")
    for count in workers:
        for hours in (1.0, 24.0, 1000.0):
            s = simulate(RUNS, count, seconds_per_run, driver_seconds, hours)
            ideal = RUNS * seconds_per_run / count / 3600
            print(
                f"{count:6} workers, each fails every {hours:4g} h: {s.hours:8.2f} h, ideal {ideal:8.2f} h, "
                f"wasted {s.wasted:6.2%}, driver busy {s.driver:6.2%}, given up {s.given_up}",
                flush=True,
            )


if __name__ == "__main__":
    tyro.cli(main)
