"""The engine of a run for which the user named none: on a GPU the fastest that proves to be right there.

A GPU engine depends on a compiler, a driver and a card that were not there when it was written. So it is checked where
it runs, and before it runs: ``STEPS`` steps of the recipe, twice, against ``folded``. The first engine of ``FASTEST``
that passes is taken, else ``folded``. The outcome is one line; it is printed, and it is in the card.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from grok.recipe import Recipe
from grok.train.engines import engine
from grok.train.graph import Graphed
from grok.train.state import Settings, State

AUTO = "auto"
FASTEST = ("triton", "cuda_graph")  # on a GPU, in this order
REFERENCE = "folded"
STEPS = 20
TOLERANCE = 1e-4  # of a loss, relative


def check(settings: Settings) -> None:
    """``engine.check`` of settings whose engine may be ``auto``."""
    engine.check(REFERENCE if settings.engine == AUTO else settings.engine, settings.device)


def resolved(recipe: Recipe, settings: Settings, work: Path) -> Settings:
    """``settings`` with an engine in place of ``auto``: that of the run in ``work`` on this device, or ``choose``'s."""
    if settings.engine != AUTO:
        return settings
    check(settings)
    path = work / "run.json"
    there = json.loads(path.read_text()) if path.exists() else {}
    if there.get("device") == settings.describe()["device"]:
        name, outcome = there["engine"], there.get("engine_check", "")
    else:
        name, outcome = choose(recipe, settings.device)
    return replace(settings, engine=name, engine_check=outcome)


def choose(recipe: Recipe, on: str) -> tuple[str, str]:
    """The engine for a recipe on a device, and the outcome of its check: empty on a CPU, where nothing is checked."""
    if on.startswith("cuda"):
        return checked(recipe, on)
    return engine.default(recipe, on), ""


def checked(recipe: Recipe, on: str, candidates: Sequence[str] = FASTEST) -> tuple[str, str]:
    """The first of ``candidates`` that passes the check, else ``folded``; and a line that says why."""
    with engine.on(on):
        return _checked(recipe, on, candidates)


def _checked(recipe: Recipe, on: str, candidates: Sequence[str]) -> tuple[str, str]:
    refused = ""
    expected, _ = _trial(recipe, on, REFERENCE)
    for name in candidates:
        try:
            difference = _difference(recipe, on, name, expected)
        except Exception as error:  # of a compiler, a driver, anything
            refused += f"; not {name}: {_line(error)}"
            continue
        agreed = f"{STEPS} steps agree with {REFERENCE} to {difference:.1e} of each loss, the same bits twice"
        return name, f"engine {name}: {agreed}{refused}"
    return REFERENCE, f"engine {REFERENCE}{refused}"


class _Wrong(Exception):
    """What is wrong with an engine."""


def _difference(recipe: Recipe, on: str, name: str, expected: Tensor) -> float:
    """Largest relative difference of a loss from ``expected``. Raises ``_Wrong``, and what the engine raises."""
    losses, weights = _trial(recipe, on, name)
    if not (losses.isfinite().all() and weights.isfinite().all()):
        raise _Wrong(f"a loss or a weight is not finite within {STEPS} steps")
    difference = float(((losses - expected) / expected).abs().max())
    if not difference <= TOLERANCE:
        raise _Wrong(f"within {STEPS} steps a loss differs from {REFERENCE}'s by {difference:.1e}, above {TOLERANCE:g}")
    again = _trial(recipe, on, name)
    if not (torch.equal(losses, again[0]) and torch.equal(weights, again[1])):
        raise _Wrong("a second trial gave other bits")
    return difference


def _trial(recipe: Recipe, on: str, name: str) -> tuple[Tensor, Tensor]:
    """Train losses of ``STEPS`` steps with the test losses before and after them, and the weights, on the CPU.

    An engine with a graph runs it.
    """
    recipe = replace(recipe, steps=STEPS)
    state = State.fresh([recipe], on)
    made = engine.make([recipe], name, state, STEPS, chunk=STEPS)
    if isinstance(made, Graphed):
        train, test = (record[0] for record in made.advance_chunk())
    else:
        test = made.test_loss().clone()
        train = torch.cat([made.advance() for _ in range(STEPS)])
    losses = torch.cat([train.cpu(), test.cpu(), made.test_loss().cpu()])
    return losses.double(), state.flat.cpu()


def _line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return text if isinstance(error, _Wrong) else f"{type(error).__name__}: {text}"
