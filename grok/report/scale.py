"""One asserted number on one line: threshold, published, every subject, random controls. Positions in per cent."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from grok.report.axis import Axis
from grok.report.columns import short
from grok.verdicts import seeds
from grok.verdicts.claim import Claim
from grok.verdicts.number import is_number, show
from grok.verdicts.verdict import Assertion, Evidence, Result, must_fail

_SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}


@dataclass(frozen=True)
class Mark:
    """A point. kind: a role, untrained, memorised or published; row: how far up it dodges."""

    kind: str
    x: float
    label: str
    number: float
    row: int = 0

    @property
    def value(self) -> str:
        return show(self.number)


@dataclass(frozen=True)
class Scale:
    """What is drawn; all x in per cent of the width. passes: where the assert holds, None for an equality.

    spread: of the trained models; None if there are few enough to name each. middle: its median, then the ends of that
    one's interval, drawn. trained: how many models there are; some may have failed before they came here.
    """

    expression: str
    threshold: str
    thresholds: tuple[float, ...]
    passes: tuple[float, float] | None
    random: tuple[float, float] | None
    random_text: str
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    margin: float  # the least of the trained subjects; infinite if there is none
    spread: seeds.Spread | None
    middle: tuple[float, float, float] | None
    trained: int

    @property
    def measured(self) -> str:
        """The first trained (or the user's) value; of many seeds their median."""
        if self.spread:
            return show(self.spread.median)
        return next((m.value for m in self.marks if m.kind in ("trained", "checkpoint")), "–")

    @property
    def published(self) -> str | None:
        return next((m.value for m in self.marks if m.kind == "published"), None)

    @property
    def seeds(self) -> str | None:
        """Many trained models in one phrase; None if there are few enough to name each."""
        s = self.spread
        if s is None or s.median_interval is None:
            return None
        who = f"{s.n} seeds" if s.n == self.trained else f"{s.n} of {self.trained} seeds"
        low, high = map(show, s.median_interval)
        return f"median {show(s.median)} (95 % {low} … {high}), range {show(s.low)} … {show(s.high)}, {who}"

    @property
    def legend(self) -> list[tuple[str, str, str]]:
        """(kind, label, value) of the marks that are not published; untrained or memorised networks are one range."""
        groups: dict[str, list[Mark]] = {}
        for mark in self.marks:
            if mark.kind != "published":
                one = mark.kind not in ("untrained", "memorised")
                groups.setdefault(mark.label if one else mark.kind, []).append(mark)
        return [(marks[0].kind, *_told(name, marks)) for name, marks in groups.items()]

    @property
    def text(self) -> str:
        """The whole drawing in words, for who cannot see it."""
        parts = [f"threshold {self.threshold}", *(f"{label} {value}" for _, label, value in self.legend)]
        parts += [f"published {self.published}"] if self.published else []
        parts += [f"measured: {self.seeds}"] if self.seeds else []
        return "; ".join(parts + ([f"random controls {self.random_text}"] if self.random_text else []))


def _told(name: str, marks: list[Mark]) -> tuple[str, str]:
    if len(marks) == 1:
        return marks[0].label, marks[0].value
    numbers = [mark.number for mark in marks]
    return f"{len(marks)} {name}", f"{show(min(numbers))} … {show(max(numbers))}"


def scales(claim: Claim) -> list[Scale]:
    """A scale for each asserted comparison of two numbers, in the order of the claim."""
    expressions = dict.fromkeys(a.expression for s in claim.subjects for a in s.asserts if _read(s, a))
    return [_scale(claim, expression, alone=len(expressions) == 1) for expression in expressions]


def _scale(claim: Claim, expression: str, alone: bool) -> Scale:
    readings = list(_readings(claim, expression))
    first = readings[0]
    bounds = _interval(expression) or [(first.op, first.right)]
    published, spread = _context(first, claim.published if alone else None)
    measured = [*((reading.subject, reading.left) for reading in readings), *_unreached(claim, readings)]
    values = [value for _, value in measured] + [at for _, at in bounds] + [*published, *(spread or ())]
    axis = Axis.over(values)
    marks = [Mark(_kind(s), axis(value), short(s.subject, claim.fixture), value) for s, value in measured]
    marks += [Mark("published", axis(v), "published", v) for v in published]
    low = max((axis(at) for op, at in bounds if op in (">", ">=")), default=0.0)
    high = min((axis(at) for op, at in bounds if op in ("<", "<=")), default=100.0)
    found = [value for s, value in measured if s.role == "trained"]
    over = seeds.spread(found) if len(found) >= seeds.LEAST else None
    return Scale(
        expression=expression,
        threshold=" and ".join(f"{_SIGNS[op]} {show(at)}" for op, at in bounds),
        thresholds=tuple(axis(at) for _, at in bounds),
        passes=(low, high) if (low, high) != (0.0, 100.0) and low <= high else None,
        random=(axis(spread[0]), axis(spread[1])) if spread else None,
        random_text=f"{show(spread[0])} … {show(spread[1])}" if spread else "",
        marks=tuple(_dodged(marks)),
        ticks=tuple(axis.ticks()),
        margin=min((r.margin for r in readings if not must_fail(r.subject.role)), default=math.inf),
        spread=over,
        middle=_middle(axis, over),
        trained=len(seeds.trained(claim)),
    )


def _middle(axis: Axis, over: seeds.Spread | None) -> tuple[float, float, float] | None:
    if over is None or over.median_interval is None:
        return None
    low, high = over.median_interval
    return axis(over.median), axis(low), axis(high)


def _unreached(claim: Claim, readings: list[_Reading]) -> Iterator[tuple[Result, float]]:
    """Subjects on which an earlier assert failed, with the evidence that is the asserted number on all the others."""
    reached = {reading.subject.subject for reading in readings}
    left = [s for s in claim.subjects if s.subject not in reached]
    common = sorted(set.intersection(*(set(_same(reading)) for reading in readings)))
    if len(common) == 1:
        for subject in left:
            values = [e.value for e in subject.evidence if e.name == common[0]]
            if values and is_number(values[-1]):
                yield subject, values[-1]


@dataclass(frozen=True)
class _Reading:
    """An assert of two numbers on one subject. margin: infinite if it has none."""

    subject: Result
    left: float
    op: str
    right: float
    margin: float


def _read(subject: Result, made: Assertion) -> _Reading | None:
    if made.left is None or made.right is None or made.op not in _SIGNS:
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


def _interval(expression: str) -> list[tuple[str, float]] | None:
    """The two bounds of ``low <= x <= high`` as comparisons of x; a record keeps only the tighter one."""
    try:
        node = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match node:
        case ast.Compare(
            left=ast.Constant(low),
            ops=[ast.Lt() | ast.LtE(), ast.Lt() | ast.LtE()],
            comparators=[_, ast.Constant(high)],
        ):
            return [(">=", low), ("<=", high)] if is_number(low) and is_number(high) else None
    return None


def _context(reading: _Reading, published: object) -> tuple[list[float], tuple[float, float] | None]:
    """Published values and range of the random controls that belong to a reading, from the evidence that equals it.

    published: by the claim, for where that evidence has no figure.
    """
    same = list(_same(reading).values())
    figures: list[object] = [e.published for e in same[:1] if is_number(e.published)] or [published]
    ranges = [e.control_range for e in same or reading.subject.evidence if e.control_range]
    return list(filter(is_number, figures)), (min(ranges[0]), max(ranges[0])) if ranges else None


def _kind(subject: Result) -> str:
    if subject.role != "control":
        return subject.role
    return next((word for word in ("untrained", "memorised") if word in subject.subject), "control")


def _dodged(marks: list[Mark]) -> Iterator[Mark]:
    """Marks of one kind that would cover each other move up, at most four rows."""
    rows: list[tuple[float, int]] = []
    for mark in marks:
        if mark.kind not in ("trained", "checkpoint"):
            yield mark
            continue
        taken = {row for x, row in rows if abs(x - mark.x) < 2.2}
        row = next((row for row in range(5) if row not in taken), 0)
        rows.append((mark.x, row))
        yield replace(mark, row=row)
