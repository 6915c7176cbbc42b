"""What claims read from the columns of a training run (``grok.store.run.Run``): one value for each recorded step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from grok.errors import NotEvaluable

Column = Sequence[float | None]


def _known(values: Column) -> list[float]:
    """The values as numbers. Raises NotEvaluable if one is missing."""
    if any(v is None for v in values):
        raise NotEvaluable("the run lacks values: it has no key frequencies, or the losses were not computed")
    return [float(v) for v in values if v is not None]


def at_step(steps: Sequence[int], values: Column, step: int) -> float:
    """The value recorded at ``step``. Raises NotEvaluable if there is none.

    Equation: v_t at t = step.
    Source: this project: it selects.
    """
    if step not in steps:
        raise NotEvaluable(f"nothing was recorded at step {step}; the last of {len(steps)} records is step {steps[-1]}")
    return _known(values)[list(steps).index(step)]


def first_below(steps: Sequence[int], losses: Column, level: float) -> int:
    """First recorded step with a loss ≤ ``level``. Raises NotEvaluable if it is never reached.

    Equation: min {t: loss_t ≤ level}.
    Source: B (claim B1), S (claim S3), which read it from the curve.
    """
    for step, loss in zip(steps, _known(losses), strict=True):
        if loss <= level:
            return step
    raise NotEvaluable(f"the loss never falls to {level:g}")


def risen(steps: Sequence[int], values: Column, share: float = 0.5) -> int:
    """First recorded step at which the value is ≥ ``share`` of its last one.

    Equation: min {t: v_t ≥ share · v_last}.
    Source: N (claim N10), S (claim S12).
    """
    level = share * _known(values)[-1]
    return next(step for step, value in zip(steps, _known(values), strict=True) if value >= level)


def fallen(steps: Sequence[int], losses: Column, share: float = 0.5) -> int:
    """First recorded step after the highest loss at which ``share`` of the fall to the last loss is done.

    The fall is measured on the log scale, as in the loss curves of sources S and N:
    log loss ≤ (1 - share) log max + share log last.

    Equation: min {t ≥ t_max: log loss_t ≤ (1 - share) log max + share log last}.
    Source: N (claim N10), S (claims S12, S14).
    """
    logs = [math.log(max(loss, 1e-300)) for loss in _known(losses)]
    top = logs.index(max(logs))
    level = (1 - share) * logs[top] + share * logs[-1]
    return next(step for step, value in zip(steps[top:], logs[top:], strict=True) if value <= level + 1e-12)


def rank_correlation(steps: Sequence[int], one: Column, other: Column, since: int) -> float:
    """Spearman's rank correlation of two columns over the records from step ``since`` on, -1 … 1.

    It is 0 if there are fewer than three records, or if a column does not vary.

    Equation: Spearman's ρ = Pearson's r of the ranks.
    Source: this project's reading of "follows" in K, N, S (claims K14c, N8c, S13d).
    """
    from scipy.stats import spearmanr

    rows = [
        pair for step, pair in zip(steps, zip(_known(one), _known(other), strict=True), strict=True) if step >= since
    ]
    if len(rows) < 3 or any(len(set(column)) == 1 for column in zip(*rows, strict=True)):
        return 0.0
    return float(spearmanr(*zip(*rows, strict=True)).statistic)


@dataclass(frozen=True)
class Phases:
    """Steps at which the three phases of a grokking run end (sources S and N read them from the loss curves by eye)."""

    memorised: int  # the train loss reaches 0.01
    circuit: int  # the test loss has begun to fall: a tenth of its fall (log scale) is done
    cleanup: int  # the test loss has fallen: nine tenths of its fall are done


def phases(steps: Sequence[int], train_loss: Column, test_loss: Column) -> Phases:
    """The ends of the phases. Raises NotEvaluable if the train loss never reaches 0.01.

    Equation: memorised: train loss ≤ 0.01; circuit, cleanup: 0.1 and 0.9 of the fall of log test loss.
    Source: N (claim N11), S; Nanda et al. 2023 (arXiv 2301.05217).
    """
    return Phases(first_below(steps, train_loss, 0.01), fallen(steps, test_loss, 0.1), fallen(steps, test_loss, 0.9))
