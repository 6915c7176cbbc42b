"""How much later a network generalises than it memorises, by the share of the pairs that it is trained on.

Source: Nanda et al. 2023 (arXiv 2301.05217).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grok.errors import NotEvaluable

LEVEL = 0.01  # of either loss


@dataclass(frozen=True)
class Run:
    """A training run. memorise, grok: the steps at which the train and the test loss reach 0.01; None if never."""

    fraction: float
    memorise: float | None
    grok: float | None


def reached(steps: Sequence[int], losses: Sequence[float], level: float = LEVEL) -> float | None:
    """The step at which a loss first falls to ``level``, between two records by a straight line on the log scale.

    Losses are recorded at every 100th step, which is coarse beside the 250 steps in which such a network memorises.

    Equation: t_i + (t_{i+1} - t_i) log(loss_i / level) / log(loss_i / loss_{i+1}), i the last record above the level.
    """
    for i, loss in enumerate(losses):
        if loss <= level:
            if i == 0:
                return float(steps[0])
            above, below = math.log(losses[i - 1] / level), math.log(level / max(loss, 1e-300))
            return steps[i - 1] + (steps[i] - steps[i - 1]) * above / (above + below)
    return None


def delays(runs: Sequence[Run]) -> dict[float, float]:
    """The delay of the grok by train fraction, in ascending order: geometric mean of grok / memorise over the seeds.

    1 if both losses fall together. NaN for a fraction of which a run never reached one of the two losses. Nanda et al.
    2023 (arXiv 2301.05217) plot the two steps for ten fractions. Raises ValueError for a run that memorises at step 0.

    Equation: exp(mean over seeds of log(t_grok / t_memorise)), t the step at which the loss reaches 0.01.
    """
    found: dict[float, list[float]] = {}
    for run in sorted(runs, key=lambda run: run.fraction):
        if run.memorise == 0:
            raise ValueError(f"a run with the fraction {run.fraction} had memorised before its first step")
        logs = found.setdefault(run.fraction, [])
        logs.append(math.nan if run.memorise is None or run.grok is None else math.log(run.grok / run.memorise))
    return {fraction: math.exp(sum(logs) / len(logs)) for fraction, logs in found.items()}


def generalised(found: Mapping[float, float]) -> dict[float, float]:
    """The fractions with which every run generalised. Raises NotEvaluable if there are fewer than three.

    Equation: {f: delay_f is a number}.
    """
    out = {fraction: delay for fraction, delay in found.items() if not math.isnan(delay)}
    if len(out) < 3:
        raise NotEvaluable(f"a trend needs three train fractions that generalise, and there are {len(out)}")
    return out


def trend(found: Mapping[float, float]) -> float:
    """Spearman's rank correlation of train fraction and delay, -1 … 1: -1 if each smaller fraction takes longer.

    Equation: Pearson's r of the ranks of f and delay_f.
    Source: this project's reading of the figure of Nanda et al. 2023.
    """
    from scipy.stats import spearmanr

    return float(spearmanr(list(found), list(found.values())).statistic)
