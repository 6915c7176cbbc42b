"""One asserted number on one line: threshold, published, every network, random controls. Positions in per cent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grok.report.axis import Axis
from grok.report.columns import named, short
from grok.report.lanes import Lane, Value, lanes, run
from grok.verdicts import seeds
from grok.verdicts.assertion import SIGNS, interval
from grok.verdicts.claim import Claim
from grok.verdicts.number import is_number, percent, show
from grok.verdicts.verdict import Assertion, Evidence, Result, must_fail


@dataclass(frozen=True)
class Separation:
    """From the worst trained network to the nearest that must fail, drawn and in words. x: None if there is no gap."""

    x: tuple[float, float] | None
    text: str


@dataclass(frozen=True)
class Scale:
    """What is drawn; all x in per cent of the width. passes: where the assert holds, None for an equality.

    name: the assert in words, None where the claim gives none.
    """

    expression: str
    name: str | None
    threshold: str
    thresholds: tuple[float, ...]
    passes: tuple[float, float] | None
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    margin: float  # the least of the trained networks; infinite if there is none
    measured: str  # the first trained (or the user's) value; of many seeds their median
    many: int  # how many seeds that is the median of; 0 if they are too few
    separation: Separation | None

    @property
    def text(self) -> str:
        """The whole drawing in words, for who cannot see it."""
        parts = [f"threshold {self.threshold}", *(f"{lane.label} {lane.text}" for lane in self.lanes)]
        return "; ".join(parts + ([f"separation: {self.separation.text}"] if self.separation else []))


def scales(claim: Claim) -> list[Scale]:
    """A scale for each asserted comparison of two numbers, in the order of the claim."""
    expressions = dict.fromkeys(a.expression for s in claim.subjects for a in s.asserts if _read(s, a))
    return [_scale(claim, expression, alone=len(expressions) == 1) for expression in expressions]


def both(runs: Mapping[str, tuple[Claim, str]]) -> Scale | None:
    """The numbers that an assert measured on the models of two runs, a and b; None if no run came to one.

    runs: the claim and the expression in each. Where the threshold is not the same in both, each has its own line and
    no side is shaded.
    """
    read = {letter: _models(claim, expression) for letter, (claim, expression) in runs.items()}
    worst = {letter: min(readings, key=lambda r: r.margin) for letter, readings in read.items() if readings}
    if not worst:
        return None
    each = {letter: interval(runs[letter][1]) or [(r.op, r.right)] for letter, r in worst.items()}
    told = {letter: _told(at) for letter, at in each.items()}
    same = len(set(told.values())) == 1
    every = [bound for at in each.values() for bound in at]
    letter, first = next(iter(worst.items()))
    claim, expression = runs[letter]
    name = named(claim, expression)
    published, _ = _context(first, claim.published if len({a.expression for a in first.subject.asserts}) == 1 else None)
    axis = Axis.over([*(r.left for readings in read.values() for r in readings), *(at for _, at in every), *published])
    return Scale(
        expression=expression,
        name=name if same or name is None else name.removesuffix(f" {told[letter]}"),
        threshold=told[letter] if same else ", ".join(f"{text} ({letter})" for letter, text in told.items()),
        thresholds=tuple(dict.fromkeys(axis(at) for _, at in every)),
        passes=_passes(axis, every) if same else None,
        lanes=(
            *(run(letter, _values(read[letter]), axis, claim.fixture) for letter in worst),
            *lanes((), axis, None, published),
        ),
        ticks=tuple(axis.ticks()),
        margin=min(r.margin for r in worst.values()),
        measured=show(first.left),
        many=0,
        separation=None,
    )


def _models(claim: Claim, expression: str) -> list[_Reading]:
    return [reading for reading in _readings(claim, expression) if not must_fail(reading.subject.role)]


def _values(readings: list[_Reading]) -> list[Value]:
    return [Value(r.subject, r.left, r.margin) for r in readings]


def _told(bounds: list[tuple[str, float]]) -> str:
    return " and ".join(f"{SIGNS[op]} {show(at)}" for op, at in bounds)


def _passes(axis: Axis, bounds: list[tuple[str, float]]) -> tuple[float, float] | None:
    """Where all these bounds hold; None if that is everywhere or nowhere, and for an equality."""
    low = max((axis(at) for op, at in bounds if op in (">", ">=")), default=0.0)
    high = min((axis(at) for op, at in bounds if op in ("<", "<=")), default=100.0)
    return (low, high) if (low, high) != (0.0, 100.0) and low <= high else None


def _scale(claim: Claim, expression: str, alone: bool) -> Scale:
    readings = list(_readings(claim, expression))
    first = readings[0]
    bounds = interval(expression) or [(first.op, first.right)]
    published, random = _context(first, claim.published if alone else None)
    reached = _values(readings)
    values = [*reached, *_unreached(claim, readings)]
    models = [v.number for v in values if not must_fail(v.subject.role)]
    main = [*models, *(at for _, at in bounds), *published]
    axis = Axis.over([*(v.number for v in values), *main, *(random or ())], main)
    many = len(models) if len(models) >= seeds.LEAST else 0
    trained = len(seeds.trained(claim)) or None
    return Scale(
        expression=expression,
        name=named(claim, expression),
        threshold=_told(bounds),
        thresholds=tuple(axis(at) for _, at in bounds),
        passes=_passes(axis, bounds),
        lanes=lanes(values, axis, claim.fixture, published, random, trained),
        ticks=tuple(axis.ticks()),
        margin=min((v.margin for v in reached if not must_fail(v.subject.role)), default=math.inf),
        measured=show(seeds.spread(models).median) if many else show(models[0]) if models else "–",
        many=many,
        separation=_separation(claim, expression, axis),
    )


def _separation(claim: Claim, expression: str, axis: Axis) -> Separation | None:
    """Of one assert: where the worst trained network is, and the control or rival that comes nearest."""
    found = next((a for a in claim.asserted if a.expression == expression), None)
    others = [r for r in (found.control, found.rival) if r] if found else []
    if found is None or found.trained is None or not others or found.op not in ("<", "<=", ">", ">="):
        return None
    sign = 1 if found.op in (">", ">=") else -1
    nearest = max(others, key=lambda rank: sign * rank.value)
    name, gap = short(nearest.subject, claim.fixture), sign * (found.trained.value - nearest.value)
    if gap <= 0:
        return Separation(None, f"none: {name} comes as far")
    by = percent(gap / abs(found.threshold)).lstrip("+") if found.threshold else show(gap)
    unit = " of the threshold" if found.threshold else ""
    outside = "" if found.separated else "; the threshold is not between"
    return Separation((axis(nearest.value), axis(found.trained.value)), f"{by}{unit}, to {name}{outside}")


def _unreached(claim: Claim, readings: list[_Reading]) -> Iterator[Value]:
    """Subjects on which an earlier assert failed, with the evidence that is the asserted number on all the others."""
    reached = {reading.subject.subject for reading in readings}
    left = [s for s in claim.subjects if s.subject not in reached]
    common = sorted(set.intersection(*(set(_same(reading)) for reading in readings)))
    if len(common) == 1:
        for subject in left:
            values = [e.value for e in subject.evidence if e.name == common[0]]
            if values and is_number(values[-1]):
                yield Value(subject, values[-1], -math.inf)


@dataclass(frozen=True)
class _Reading:
    """An assert of two numbers on one subject. margin: infinite if it has none."""

    subject: Result
    left: float
    op: str
    right: float
    margin: float


def _read(subject: Result, made: Assertion) -> _Reading | None:
    if made.left is None or made.right is None or made.op not in SIGNS:
        return None
    return _Reading(subject, made.left, made.op, made.right, math.inf if made.margin is None else made.margin)


def _readings(claim: Claim, expression: str) -> Iterator[_Reading]:
    """Of each subject the assert with the least margin: a loop asserts the same line often."""
    for s in claim.subjects:
        found = [reading for a in s.asserts if a.expression == expression and (reading := _read(s, a))]
        if found:
            yield min(found, key=lambda reading: reading.margin)


def _same(reading: _Reading) -> dict[str, Evidence]:
    """The evidence of the subject, by name, that equals the measured side."""
    evidence = [e for e in reading.subject.evidence if is_number(e.value)]
    return {e.name: e for e in evidence if math.isclose(e.value, reading.left, rel_tol=1e-9)}


def _context(reading: _Reading, published: object) -> tuple[list[float], tuple[float, float] | None]:
    """Published values and range of the random controls that belong to a reading, from the evidence that equals it.

    published: by the claim, for where that evidence has no figure.
    """
    same = list(_same(reading).values())
    figures: list[object] = [e.published for e in same[:1] if is_number(e.published)] or [published]
    ranges = [e.control_range for e in same or reading.subject.evidence if e.control_range]
    return list(filter(is_number, figures)), (min(ranges[0]), max(ranges[0])) if ranges else None
