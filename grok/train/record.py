"""The record of a training run that claims read: the columns of ``trajectory.json``, measured at every snapshot."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.fourier.keys import Keys, matched
from grok.measure import embedding
from grok.measure.trajectory import Column
from grok.models import matrices as weights
from grok.progress import bar
from grok.recipe import CROSS_ENTROPY, Recipe, matched_count
from grok.train.snapshot import Pairs, Snapshot

EVERY = ("train_loss", "test_loss", "train_accuracy", "test_accuracy", "weight_norm")
SPARSITY = ("gini_W_E", "gini_U")
PROGRESS = ("key_cos2", "restricted_loss", "excluded_loss")
COLUMNS = EVERY + SPARSITY + PROGRESS


def columns(
    recipe: Recipe,
    snapshots: np.ndarray,
    steps: list[int],
    train_loss: Column,
    test_loss: Column,
    progress: bool = False,
) -> tuple[Keys | None, dict[str, list[float | None]]]:
    """Measures of every snapshot: flat weights [n, P] float32 and the losses at the same steps → (K, columns).

    K is that of the final model, by rank if no frequency stands out (``fourier.keys.matched`` with
    ``recipe.matched_count``). It is None for a family without a count; then the ``PROGRESS`` columns are None at every
    step. A task without blocks (plain addition) has only the ``EVERY`` columns. ``train.snapshot`` computes them,
    within 1e-4 of the definition. Losses are cross-entropies, also of a run that minimised something else.
    """
    pairs = Pairs.of(recipe, recipe.split())

    def vector(flat: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(flat, dtype=np.float32))

    final = Snapshot(weights.views(vector(snapshots[-1]), recipe), pairs)
    keys = _final_keys(final, matched_count(recipe.architecture, recipe.task)) if recipe.task.modular else None
    names = EVERY + SPARSITY + PROGRESS if recipe.task.modular else EVERY
    out: dict[str, list[float | None]] = {name: [] for name in names}
    out["train_loss"], out["test_loss"] = list(train_loss), list(test_loss)
    for at, flat in enumerate(bar(snapshots, desc="progress measures", unit="snapshot", disable=not progress)):
        present = vector(flat)
        model = Snapshot(weights.views(present, recipe), pairs)
        if recipe.loss != CROSS_ENTROPY:
            out["train_loss"][at], out["test_loss"][at] = model.loss(model.train), model.loss(model.test)
        row = {
            "train_accuracy": model.accuracy(model.train),
            "test_accuracy": model.accuracy(model.test),
            # not by numpy, because the threads of its BLAS keep spinning and make everything else three times slower
            "weight_norm": float(torch.linalg.vector_norm(present, dtype=torch.float64)),
        }
        if recipe.task.modular:
            row |= {
                "gini_W_E": embedding.gini(embedding.fourier_norms(model.W_E, blocks=model.blocks)),
                "gini_U": embedding.gini(embedding.fourier_norms(model.U, dim=1, blocks=model.blocks)),
            }
        if keys is not None:
            row |= {
                "key_cos2": model.key_cos2(keys.frequencies),
                "restricted_loss": model.restricted_loss(keys.frequencies),
                "excluded_loss": model.excluded_loss(keys.frequencies),
            }
        for name, column in out.items():
            if name not in ("train_loss", "test_loss"):
                column.append(row.get(name))
    if any(len(column) != len(steps) for column in out.values()):
        raise ValueError(f"{len(steps)} steps, but columns of length { {k: len(v) for k, v in out.items()} }")
    return keys, out


def _final_keys(model: Snapshot, n: int | None) -> Keys | None:
    try:
        return matched(model.U, n, model.blocks)
    except NotEvaluable:
        return None
