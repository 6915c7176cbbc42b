"""A training run on disk: stepping, snapshots, interruption and resumption with the same bits.

A work folder holds

- ``run.json``: the recipe, engine, device, threads, versions and commit the run was started with;
- ``state.safetensors``: weights, Adam's moments and the losses so far, replaced atomically;
- ``snapshots.f32``: the flat weights at every 100th step, one row each, written before the state that counts them.

Rows beyond the state's step may exist after a kill; the resumed run writes the same bits over them.
"""

from __future__ import annotations

import json
import math
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from grok import files
from grok.errors import GrokError, Interrupted
from grok.models import matrices as weights
from grok.progress import bar as progress_bar
from grok.recipe import Recipe
from grok.train import choose
from grok.train.engines import engine
from grok.train.graph import AHEAD, Graphed
from grok.train.state import DEFAULTS, Settings, State

SNAPSHOT_EVERY = 100
STATE_EVERY_SECONDS = 60.0


class Diverged(GrokError):
    """A loss that is not finite. The recipe causes this on every machine."""


def train(
    recipes: list[Recipe],
    work: Path,
    settings: Settings = DEFAULTS,
    *,
    progress: bool = True,
    on_save: Callable[[int], None] | None = None,
) -> State:
    """Train recipes that differ only in their seeds, to the end, resuming what ``work`` holds. Returns the last state.

    If ``work`` holds the same run with fewer steps, finished or not, it goes on to as many as the recipes have. The
    engine ``auto`` stands for the one that ``train.choose`` takes. ``on_save`` is called with the next step after each
    save of the state but that of the finished run. Raises GrokError (a work folder of another run, an engine or a
    device that is not there), Diverged, and Interrupted (Ctrl-C, SIGTERM).
    """
    settings = choose.resolved(recipes[0], settings, work)
    engine.check(settings.engine, settings.device)
    with engine.on(settings.device):
        return _train(recipes, work, settings, progress, on_save)


def _train(
    recipes: list[Recipe], work: Path, settings: Settings, progress: bool, on_save: Callable[[int], None] | None
) -> State:
    """``train`` with an engine that is no longer ``auto``, on the current device."""
    if progress and settings.engine_check:
        print(settings.engine_check, flush=True)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    work.mkdir(parents=True, exist_ok=True)
    _claim_folder(recipes, work, settings)
    state_path = work / "state.safetensors"
    state = State.load(state_path, settings.device) if state_path.exists() else State.fresh(recipes, settings.device)
    last_step = recipes[0].steps
    state.extend(last_step, settings.eval_every)
    snapshots = open_snapshots(work, recipes[0], len(recipes), write=True)
    step = engine.make(recipes, settings.engine, state, settings.eval_every)
    began, saved = time.monotonic() - state.seconds, time.monotonic()
    ahead: deque[Callable[[], tuple[Tensor | None, Tensor, Tensor]]] = deque()  # of ``Graphed.start_chunk``

    def snapshot(t: int, flat: Tensor) -> None:
        if t % SNAPSHOT_EVERY == 0:
            snapshots[t // SNAPSHOT_EVERY] = flat.cpu().numpy()

    def save_state(finished: bool = False) -> None:
        snapshots.flush()
        state.seconds = time.monotonic() - began
        files.write_bytes(state_path, save(state.tensors()))
        if on_save and not finished:
            on_save(state.step)

    shown: dict[str, Any] = {"desc": recipes[0].name, "unit": "step", "disable": not progress}
    with (
        files.Syncing(work / "snapshots.f32") as written,
        _flushed(),
        _stop_signals() as stopped,
        progress_bar(total=last_step, initial=state.step, **shown) as bar,
    ):
        while True:
            t, last = state.step, state.step == last_step
            taken = 1
            due = bool(stopped) or time.monotonic() - saved > STATE_EVERY_SECONDS
            if isinstance(step, Graphed) and t % step.chunk == 0 and t + step.chunk <= last_step:
                taken = step.chunk
                # More chunks are on their way than the one that is waited for. None is launched ahead when a state is
                # about to be saved: its weights must be those of its step.
                most = 1 if due else max(2, AHEAD // taken)
                while len(ahead) < most and (first := t + len(ahead) * taken) + taken <= last_step:
                    ahead.append(step.start_chunk(first, weights=first % SNAPSHOT_EVERY == 0))
                present, train, test = ahead.popleft()()
                state.train_loss[:, t : t + taken] = train
                state.test_loss[:, [t + i for i in step.tested(t)]] = test.double()
                if present is not None:
                    snapshot(t, present)
                    written.begin()  # a GPU makes snapshots faster than a disk may take them all at the end
            else:
                snapshot(t, state.flat)
                if t % settings.eval_every == 0 or last:
                    state.test_loss[:, t] = step.test_loss()
                state.train_loss[:, t] = step.train_loss() if last else step.advance()
            if not torch.isfinite(state.train_loss[:, t : t + taken]).all():
                raise Diverged(f"{recipes[0].name}: the train loss at step {t} is not finite")
            if last:
                save_state(finished=True)
                return state
            state.step += taken
            bar.update(taken)
            if t % SNAPSHOT_EVERY == 0:
                bar.set_postfix_str(_losses(state, t), refresh=False)
            if ahead:
                continue
            if stopped:
                save_state()
                raise Interrupted(
                    f"stopped at step {state.step} of {recipes[0].steps}; the same command goes on from there"
                )
            if due:
                save_state()
                saved = time.monotonic()


def step_of(work: Path) -> int:
    """The next step of the run in ``work``; 0 if it has no state."""
    path = work / "state.safetensors"
    return State.load(path, "cpu").step if path.exists() else 0


def bytes_of(recipe: Recipe) -> tuple[int, int]:
    """Bytes of the state and of the snapshots of one run."""
    row = 4 * weights.size(recipe)
    losses = 2 * 8 * (recipe.steps + 1)
    return 3 * row + losses, (recipe.steps // SNAPSHOT_EVERY + 1) * row


def open_snapshots(work: Path, recipe: Recipe, n_seeds: int, *, write: bool = False) -> np.memmap:
    """Flat weights at steps 0, 100, …: [steps // 100 + 1, S, P], float32, backed by ``snapshots.f32``."""
    path = work / "snapshots.f32"
    shape = (recipe.steps // SNAPSHOT_EVERY + 1, n_seeds, weights.size(recipe))
    if write:
        files.reserve(path, math.prod(shape) * 4)
    return np.memmap(path, dtype="<f4", mode="r+" if write else "r", shape=shape)


def _claim_folder(recipes: list[Recipe], work: Path, settings: Settings) -> None:
    """Record what runs in ``work``. Raises GrokError if the folder holds another run, or this one with more steps."""
    path = work / "run.json"
    run = {"recipes": [r.to_json() for r in recipes], **settings.describe()}
    if not path.exists():
        files.write_json(path, run)
        return
    there = json.loads(path.read_text())
    held = [Recipe.from_json(r) for r in there["recipes"]]
    steps = held[0].steps
    found, expected = ({"recipes": [f"{r.name}, seed {r.seed}" for r in of]} for of in (held, recipes))
    if found == expected:
        for ours, theirs in zip(recipes, held, strict=True):
            for field, (here, wanted) in theirs.differences(replace(ours, steps=steps)).items():
                found[field], expected[field] = [here], [wanted]
    for key in ("engine", "precision", "device", "threads", "eval_every", "torch"):
        found[key], expected[key] = there.get(key, "none"), run.get(key, "none")
    for key, value in expected.items():
        if found[key] != value:
            raise GrokError(
                f"{work} holds another run: {key} is {_said(found[key])}, expected {_said(value)}; "
                "give another --out, or remove that folder"
            )
    if steps > recipes[0].steps:
        raise GrokError(
            f"{work} holds a run of {steps} steps, more than {recipes[0].steps}; give another --out for a shorter one"
        )
    if steps < recipes[0].steps:
        files.write_json(path, run)


def _said(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else repr(value)


@contextmanager
def _flushed() -> Iterator[None]:
    """Makes subnormal numbers zero. Moments of a weight without a gradient become such numbers, which are slow."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM, so that a signal does not end the process within a step. A second one ends it."""
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        received.append(number)
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, note)
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _losses(state: State, t: int) -> str:
    return f"train {state.train_loss[0, t]:.2e} test {state.test_loss[0, t]:.2e}"
