"""A certificate that float32 answers every pair rightly, whatever the order of additions and fused or not.

For each pair (a, b) there is a bound E on |float32 logit - exact logit|, the same for all classes. *Exact* is the
real-number function of the float32 weights. Where the margin, the right class's logit less the greatest other, is more
than 2 E, every float32 evaluation and the exact one give the right answer. Margins are evaluated in float64, whose own
error is part of E. ``measure.bounds`` says which computations are covered, and has E for each architecture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context

import torch
from torch import Tensor

from grok.errors import NotEvaluable
from grok.measure import bounds
from grok.models.architectures import named, network
from grok.models.network import Network
from grok.models.pizza import Pizza
from grok.models.transformer import Transformer

BLOCK = 2048  # pairs at once: some ten arrays of this length and d_mlp wide
FEW = 256  # pairs of a block for which the closer bound is computed: a matrix [d_model, C] for each


@dataclass(frozen=True)
class Certificate:
    """What is certain of a network's answers on all n² pairs.

    margin: least of the correct logit less the greatest other, negative where an answer is wrong.
    bound: greatest bound E of a pair on |float32 logit - exact logit|.
    right, wrong: number of pairs with margin > 2 E, and with margin < -2 E; of the others nothing is certain.
    pair: (a, b) where margin - 2 E is least.
    """

    margin: float
    bound: float
    pairs: int
    right: int
    wrong: int
    pair: tuple[int, int]

    @property
    def certified(self) -> bool:
        """Margin > 2 E on every pair."""
        return self.right == self.pairs

    @property
    def ratio(self) -> float:
        """Least margin over greatest bound. Above 2 all pairs are certified."""
        return self.margin / self.bound

    def __str__(self) -> str:
        margin, bound = _digits(self.margin, 3, ROUND_FLOOR), _digits(self.bound, 2, ROUND_CEILING)
        found = f"margin {margin} over all {self.pairs:,} pairs, float32 error ≤ {bound}: "
        if self.certified:
            return found + "every answer is certified"
        unsure = self.pairs - self.right - self.wrong
        parts = (f"{n:,} {what}" for n, what in ((self.wrong, "wrong"), (unsure, "not certified")) if n)
        return found + f"{' and '.join(parts)}, the worst at (a, b) = {self.pair}"


def _digits(value: float, n: int, how: str) -> str:
    """So that what is printed is still a bound: a margin is rounded down, an error up."""
    return format(Context(prec=n, rounding=how).create_decimal_from_float(value), "g")


def certify(model: Network) -> Certificate:
    """The certificate of a network with its weights rounded to float32 (which changes none of a float32 network).

    All pairs are evaluated, a block at a time. Raises NotEvaluable for an architecture without rules, weights beyond
    float32, and activations that may overflow.

    Equation: certain of a pair: margin > 2 E with E ≥ |float32 logit - exact logit|.
    Source: this project, from Higham 2002 (``measure.rounding``).
    """
    margins, errors = [], []
    for block, labels in _blocks(model):
        found, error = margins_of(block.logits, labels), bounds.logit_bounds(block).amax(1)
        near = (found > 0) & (found <= 2 * error)
        if isinstance(block, Transformer | Pizza) and 0 < int(near.sum()) <= FEW:
            error[near] = error[near].minimum(bounds.closer_bounds(block, near).amax(1))
        margins.append(found)
        errors.append(error)
    margin, bound = torch.cat(margins), torch.cat(errors)
    a, b = divmod(int((margin - 2 * bound).argmin()), model.task.n)
    right, wrong = ((sign * margin > 2 * bound).sum() for sign in (1, -1))
    return Certificate(float(margin.min()), float(bound.max()), len(margin), int(right), int(wrong), (a, b))


def _blocks(model: Network) -> Iterator[tuple[Network, Tensor]]:
    """Networks of some values of a and every b, with the labels of their pairs."""
    weights = {name: w.float().double() for name, w in model.weights.items()}
    if not all(bool(w.isfinite().all()) for w in weights.values()):
        raise NotEvaluable("a weight is too large for float32")
    n, rows = model.task.n, max(1, BLOCK // model.task.n)
    chunks = named(model.architecture).chunks(weights, rows)
    for chunk, labels in zip(chunks, model.labels.split(rows * n), strict=True):
        yield network(chunk, model.task, activation=model.activation), labels


def margins_of(logits: Tensor, labels: Tensor) -> Tensor:
    """The correct logit minus the greatest other, negative if the answer is wrong: [N, C], [N] → [N].

    Equation: margin = L_s - max_{c ≠ s} L_c.
    Source: the definition of a classifier's margin.
    """
    right = logits.gather(1, labels[:, None])
    return right[:, 0] - logits.scatter(1, labels[:, None], -torch.inf).amax(1)
