"""``grok sweep``: trains many runs of a recipe, on this machine or on a cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from grok.commands import options
from grok.errors import GrokError

if TYPE_CHECKING:
    from grok.recipe import Recipe
    from grok.sweep.driver import Summary
    from grok.sweep.plan import Batch
    from grok.sweep.store import Store
    from grok.train.state import Settings

GPU_BATCH = 32  # seeds that one GPU steps together


def sweep(
    recipe: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")] = None,
    /,
    seeds: str = "0-31",
    set_: options.Set = (),
    recipe_file: Path | None = None,
    steps: int | None = None,
    on: Literal["local", "ray"] = "local",
    address: str | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    workers: int | None = None,
    batch: int | None = None,
    engine: str | None = None,
    out: Path = Path("runs/sweep"),
    claims: Path | None = None,
    state: str | None = None,
    export: Path | None = None,
    dry_run: bool = False,
) -> int:
    """Train RECIPE from many seeds, and with every combination of --set. The same command continues a stopped sweep.

    Finished runs are fixtures in OUT/runs; a sweep finds them again by recipe and seed. OUT/runs.parquet is the table
    of all runs. The exit code is 1 if a run failed, was given up, or has no verdicts.

    Args:
        recipe: a name that `grok list` shows; none if --recipe-file is given.
        seeds: seeds of initial weights and split, as in 0-31 or 0,3,7-9.
        recipe_file: a recipe of your own in TOML, as in `grok train`.
        steps: number of steps; default: that of the published run.
        on: local: worker processes on this machine. ray: a Ray cluster.
        address: address of a running Ray cluster, or auto; default: a cluster started here.
        device: auto uses the GPUs if there are any.
        workers: number of processes; default: one per CPU core or GPU.
        batch: number of seeds that one worker trains together; default: 1 on a CPU, 32 on a GPU.
        engine: how a step is computed, as in `grok train`; default: manual on a CPU, and on a GPU the fastest that
            passes a check there.
        out: folder of the results; other machines need no access to it.
        claims: folder of claims to evaluate on every finished run; the table then has their verdicts. Workers on CPU
            cores do it, eight runs at a time. A Ray cluster is sent the folder, so it must hold all that it needs.
        state: where workers also keep the state of a run, once a minute, so that another machine of the same kind goes
            on if one is lost: a folder that all of them share, or a URI of fsspec such as s3://bucket/sweep. A run in
            training fills it with snapshots, up to 366 MB for modadd-transformer; then it is removed.
        export: also copy finished runs to EXPORT/RECIPE/seedN, where claims find them; only for a sweep without --set.
        dry_run: print how many runs are missing and about how long they take, then stop.
    """
    from grok.sweep import driver, estimate, local, plan, ray_engine, shared
    from grok.sweep.store import Store
    from grok.train import choose, fields
    from grok.train.run import bytes_of

    for option, value in (("--workers", workers), ("--batch", batch), ("--steps", steps)):
        if value is not None and value < 1:
            raise GrokError(f"{option} must be at least 1, got {value}")
    if export is not None and (set_ or steps or recipe_file):
        raise GrokError(
            "--export is only for the published recipe: the name RECIPE/seedN cannot hold --set, --steps, --recipe-file"
        )
    if engine in ("local", "ray"):
        raise GrokError(f"--engine says how a step is computed; for where the runs are computed give --on {engine}")
    if claims is not None and not claims.exists():
        raise GrokError(f"--claims {claims}: no such file or folder")
    if address is not None and on != "ray":
        raise GrokError("--address names a Ray cluster; add --on ray")
    chosen = fields.chosen(recipe, recipe_file)
    set_ = set_ if steps is None else (*set_, f"steps={steps}")
    runs = plan.runs(chosen, set_, plan.seeds(seeds))
    devices = [] if on == "ray" else local.devices(device, workers)
    if devices:  # the devices of a Ray cluster are not visible from here
        settings = _settings(devices[0], engine)
        choose.check(settings)
    store = Store(out)
    with nullcontext() if dry_run else store.locked():
        if on == "ray":
            ray_engine.connect(address, workers)
            device_type, n = ray_engine.slots(device)
            settings = _settings(device_type, engine)
        else:
            n = len(devices)
        gpu = settings.device == "cuda"
        missing = [run for run in runs if not store.done(run)]
        if state and not dry_run:
            state = shared.opened(state)
        begun = [*store.begun(), *(shared.begun(state).values() if state else ())]
        batches = plan.batches(missing, begun, batch or (GPU_BATCH if gpu else 1))
        _announce(chosen.name, runs, missing, batches)
        if state:
            rewritten, added = (size / 1e6 for size in bytes_of(runs[0]))
            print(
                f"{state}: each run in training writes {rewritten:,.1f} MB a minute there, and {added:,.1f} MB in all"
            )
        if dry_run:
            if missing:
                guess = estimate.estimate(store, missing, settings)
                wall = _duration(guess.seconds / min(n, len(batches)))
                print(f"about {wall} on {n} {settings.device.upper()} workers; from {guess.how}")
            return 0
        if on == "ray":
            made: driver.Engine = ray_engine.Ray(settings, store, state)
        else:
            made = local.Local(devices + (local.beside(devices) if claims else []), settings, store, state)
        summary = driver.drive(made, batches, store, runs, claims=claims, state=state)
        if export is not None:
            for run in runs:
                store.export(run, export / run.name / f"seed{run.seed}")
        return _conclude(store, summary, runs)


def _settings(device: str, engine: str | None) -> Settings:
    from grok.train.choose import AUTO
    from grok.train.state import Settings

    return Settings(device=device.partition(":")[0], engine=engine or AUTO, threads=1)


def _announce(name: str, runs: Sequence[Recipe], missing: Sequence[Recipe], batches: Sequence[Batch]) -> None:
    from grok.sweep.plan import without_seeds

    points = len({without_seeds(run) for run in runs})
    done = len(runs) - len(missing)
    print(f"{name}: {len(runs)} runs, {points} settings; {done} done, {len(missing)} to do in {len(batches)} batches")


def _conclude(store: Store, summary: Summary, runs: Sequence[Recipe]) -> int:
    """Write the table. Count and name the runs that did not grok, failed, or were given up."""
    from grok.sweep import driver, row, table

    path = store.out / "runs.parquet"
    try:
        print(f"{path}: {table.write(store, path)} runs")
    except GrokError as error:  # the runs are finished; only the table is missing
        print(f"grok: {error}", file=sys.stderr)
    cards = [(run, store.card(run)) for run in runs]
    unsolved = [run for run, card in cards if card is not None and not row.grokked(card)]
    print(f"grokked: {summary.finished - len(unsolved)} of {len(runs)}")
    given_up = f"given up, lost {driver.ATTEMPTS} times"
    named = {"not grokked": unsolved, "failed": summary.failed, given_up: summary.given_up}
    for what, of in (named | {"no verdicts": summary.unjudged}).items():
        for run in of:
            print(f"{what}: seed {run.seed}, {store.folder(run)}")
    return 1 if summary.failed or summary.given_up or summary.unjudged else 0


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"
