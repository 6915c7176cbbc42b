"""How far the trained models are from the networks on which a claim must fail, and whether the threshold lies between.

Each assert with numbers has a margin: the signed distance of the measured value to the threshold, in units of the
threshold, positive if the assert holds. For one assert, the *worst trained* margin is the least one of the trained
models. A control or rival is *apart* by the difference between that and its own margin. It fails a claim if it fails
one of the asserts, so the assert that sets it apart the most counts. The separation of a claim is that of the control
or rival that comes nearest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grok.verdicts.verdict import Assertion, Result, judged, must_fail, others


@dataclass(frozen=True)
class Rank:
    """The network of one role that comes nearest to passing one assert, and its measured value."""

    subject: str
    value: float


@dataclass(frozen=True)
class Assert:
    """One asserted expression over all subjects that reached it.

    threshold: None where it differs between subjects (the best of random draws, say). trained: the worst of them.
    control, rival: the best of them, on the side that would pass; None where none reached the assert. separated: every
    trained model passes, and no control or rival does.
    """

    expression: str
    op: str
    threshold: float | None
    trained: Rank | None
    control: Rank | None
    rival: Rank | None
    separated: bool


@dataclass(frozen=True)
class Separation:
    """The separation of a claim.

    nearest: the control or rival that comes nearest to a trained model. gap: how far it is behind the worst trained
    model, in thresholds; 0 or less if it does as well on every assert, None if it fails before a number.
    threshold_inside: the trained models pass the assert that sets it apart, and it does not. separated: there is a gap,
    and the threshold lies in it.
    """

    nearest: str
    gap: float | None
    threshold_inside: bool
    separated: bool


def asserts(subjects: Sequence[Result]) -> list[Assert]:
    """Every asserted expression that compares numbers, in the order of the claim."""
    names = dict.fromkeys(a.expression for s in subjects for a in s.asserts if a.margin is not None)
    return [_assert(name, subjects) for name in names]


def separation(subjects: Sequence[Result]) -> Separation | None:
    """The separation from all evaluated controls and rivals; None without any, or if no trained model has numbers."""
    worst: dict[str, float] = {}
    for name in dict.fromkeys(a.expression for s in judged(subjects) for a in s.asserts):
        margins = [_margin(s, name) for s in judged(subjects)]
        if all(m is not None for m in margins):
            worst[name] = min(m for m in margins if m is not None)
    found = [_apart(s, worst) for s in others(subjects) if s.holds is not None]
    return min(found, key=lambda s: math.inf if s.gap is None else s.gap, default=None) if worst else None


def _apart(subject: Result, worst: dict[str, float]) -> Separation:
    """The separation from one of them, by the assert with the largest gap. Asserts that it alone fails go first."""
    margins = {name: m for name in worst if (m := _margin(subject, name)) is not None}
    if not margins:
        return Separation(subject.subject, None, subject.holds is False, subject.holds is False)
    failed = {a.expression for a in subject.asserts if not a.passed}
    name = max(margins, key=lambda name: (name in failed and worst[name] >= 0, worst[name] - margins[name]))
    gap, inside = worst[name] - margins[name], name in failed and worst[name] >= 0
    return Separation(subject.subject, gap, inside, inside and gap > 0)


def _margin(subject: Result, expression: str) -> float | None:
    """The smallest margin of the asserts with this text."""
    return min((a.margin for a in subject.asserts if a.expression == expression and a.margin is not None), default=None)


def _assert(expression: str, subjects: Sequence[Result]) -> Assert:
    made = [(s, a) for s in subjects for a in s.asserts if a.expression == expression and a.margin is not None]
    op = str(made[0][1].op)
    thresholds = {a.right for _, a in made}

    def rank(role: str, best: bool) -> Rank | None:
        of = [(s, a) for s, a in made if (not must_fail(s.role) if role == "trained" else s.role == role)]
        chosen = (max if best else min)(of, key=lambda pair: pair[1].margin or 0.0, default=None)
        return None if chosen is None or chosen[1].left is None else Rank(chosen[0].subject, chosen[1].left)

    passed = _passed(a for s, a in made if not must_fail(s.role))
    failed = [not a.passed for s, a in made if must_fail(s.role)]
    return Assert(
        expression,
        op,
        thresholds.pop() if len(thresholds) == 1 else None,
        rank("trained", best=False),
        rank("control", best=True),
        rank("rival", best=True),
        passed and all(failed),
    )


def _passed(made: Iterable[Assertion]) -> bool:
    found = [a.passed for a in made]
    return bool(found) and all(found)
