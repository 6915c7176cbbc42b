"""A training run: the columns of ``trajectory.json``, and what claims read from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from grok import weights
from grok.errors import NotEvaluable
from grok.fourier.keys import key_frequencies
from grok.measure import embedding
from grok.measure.snapshot import Pairs, Snapshot
from grok.progress import bar
from grok.recipe import Recipe

Column = Sequence[float | None]

EVERY = ("train_loss", "test_loss", "train_accuracy", "test_accuracy", "weight_norm")
SPARSITY = ("gini_W_E", "gini_U")
PROGRESS = ("key_cos2", "restricted_loss", "excluded_loss")


def columns(
    recipe: Recipe,
    snapshots: np.ndarray,
    steps: list[int],
    train_loss: Column,
    test_loss: Column,
    progress: bool = False,
) -> tuple[tuple[int, ...] | None, dict[str, list[float | None]]]:
    """Measures of every snapshot: flat weights [n, P] float32 and the losses at the same steps → (K, columns).

    K is the final model's, None if it has none; then the ``PROGRESS`` columns are None throughout. A recipe without a
    modulus has the ``EVERY`` columns only. ``measure.snapshot`` computes them, within 1e-4 of the definition.
    """
    pairs = Pairs.of(recipe, recipe.split())

    def vector(flat: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(flat, dtype=np.float32))

    keys = _final_keys(Snapshot(weights.views(vector(snapshots[-1]), recipe), pairs)) if recipe.task.modular else None
    names = EVERY + SPARSITY + PROGRESS if recipe.task.modular else EVERY
    out: dict[str, list[float | None]] = {name: [] for name in names}
    out["train_loss"], out["test_loss"] = list(train_loss), list(test_loss)
    for flat in bar(snapshots, desc="progress measures", unit="snapshot", disable=not progress):
        present = vector(flat)
        model = Snapshot(weights.views(present, recipe), pairs)
        row = {
            "train_accuracy": model.accuracy(model.train),
            "test_accuracy": model.accuracy(model.test),
            # not by numpy: the threads of its BLAS go on spinning, and everything else takes three times as long
            "weight_norm": float(torch.linalg.vector_norm(present, dtype=torch.float64)),
        }
        if recipe.task.modular:
            row |= {
                "gini_W_E": embedding.gini(embedding.fourier_norms(model.W_E)),
                "gini_U": embedding.gini(embedding.fourier_norms(model.U, dim=1)),
            }
        if keys is not None:
            row |= {
                "key_cos2": model.key_cos2(keys),
                "restricted_loss": model.restricted_loss(keys),
                "excluded_loss": model.excluded_loss(keys),
            }
        for name, column in out.items():
            if name not in ("train_loss", "test_loss"):
                column.append(row.get(name))
    if any(len(column) != len(steps) for column in out.values()):
        raise ValueError(f"{len(steps)} steps, but columns of length { {k: len(v) for k, v in out.items()} }")
    return keys, out


def _final_keys(model: Snapshot) -> tuple[int, ...] | None:
    try:
        return key_frequencies(model.U)
    except NotEvaluable:
        return None


# ── readings of columns ──────────────────────────────────────────────────────────────────────────────────────────


def _known(values: Column) -> list[float]:
    """Raises NotEvaluable if an entry is missing."""
    if any(v is None for v in values):
        raise NotEvaluable("the run lacks values: it has no key frequencies, or the losses were not computed")
    return [float(v) for v in values if v is not None]


def at_step(steps: Sequence[int], values: Column, step: int) -> float:
    """The value recorded at ``step``. Raises NotEvaluable if there is none."""
    if step not in steps:
        raise NotEvaluable(f"nothing was recorded at step {step}; the last of {len(steps)} records is step {steps[-1]}")
    return _known(values)[list(steps).index(step)]


def first_below(steps: Sequence[int], losses: Column, level: float) -> int:
    """First recorded step with a loss ≤ ``level``. Raises NotEvaluable if it is never reached."""
    for step, loss in zip(steps, _known(losses), strict=True):
        if loss <= level:
            return step
    raise NotEvaluable(f"the loss never falls to {level:g}")


def risen(steps: Sequence[int], values: Column, share: float = 0.5) -> int:
    """First recorded step at which the value is ≥ ``share`` of its last one."""
    level = share * _known(values)[-1]
    return next(step for step, value in zip(steps, _known(values), strict=True) if value >= level)


def fallen(steps: Sequence[int], losses: Column, share: float = 0.5) -> int:
    """First recorded step, from the highest loss on, with ``share`` of the fall from there to the last loss behind it.

    On the log scale: log loss ≤ (1 - share) log max + share log last. Source for the scale: the loss curves of S, N.
    """
    logs = [math.log(max(loss, 1e-300)) for loss in _known(losses)]
    top = logs.index(max(logs))
    level = (1 - share) * logs[top] + share * logs[-1]
    return next(step for step, value in zip(steps[top:], logs[top:], strict=True) if value <= level + 1e-12)


@dataclass(frozen=True)
class Phases:
    """Steps at which the three phases of a grokking run end (sources S, N read them off the loss curves by eye)."""

    memorised: int  # the train loss reaches 0.01
    circuit: int  # the test loss begins to fall: a tenth of its fall (log scale) is done
    cleanup: int  # it is down: nine tenths are done


def phases(steps: Sequence[int], train_loss: Column, test_loss: Column) -> Phases:
    """Raises NotEvaluable if the train loss never reaches 0.01."""
    return Phases(first_below(steps, train_loss, 0.01), fallen(steps, test_loss, 0.1), fallen(steps, test_loss, 0.9))
