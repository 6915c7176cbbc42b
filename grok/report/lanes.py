"""What stands on a number line: a lane for each kind of network, for the published figure and for random controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from grok.report.axis import Axis
from grok.report.columns import shape, short
from grok.verdicts import seeds
from grok.verdicts.compare import VALUE
from grok.verdicts.number import fitted, show
from grok.verdicts.verdict import Result, kind, must_fail

_ORDER = ("trained", "checkpoint", "published", "untrained", "memorised", "control", "rival", "random")
_APART = 1.3  # per cent of the width within which two marks would cover each other


@dataclass(frozen=True)
class Value:
    """A number measured on one network. margin: to the threshold; 0 where there is none."""

    subject: Result
    number: float
    margin: float = 0.0


@dataclass(frozen=True)
class Mark:
    """A point, x in per cent of the width. row: how far up it makes room for its neighbours."""

    label: str
    number: float
    x: float
    row: int = 0

    @property
    def value(self) -> str:
        return show(self.number)


@dataclass(frozen=True)
class Lane:
    """One line of a drawing, x in per cent. kind: a role, untrained, memorised, published or random; of two runs a, b.

    span: from the least to the greatest of several. nearest: of those that must fail the one that comes nearest to the
    threshold. middle: the median of many seeds and the ends of its interval.
    """

    kind: str
    label: str
    text: str
    marks: tuple[Mark, ...]
    span: tuple[float, float] | None = None
    nearest: float | None = None
    middle: tuple[float, float, float] | None = None


def lanes(
    values: Sequence[Value],
    axis: Axis,
    fixture: str | None,
    published: Sequence[float] = (),
    random: tuple[float, float] | None = None,
    models: int | None = None,
) -> tuple[Lane, ...]:
    """The lanes of these values. models: how many trained networks there are, of which some may have no value."""
    groups: dict[tuple[str, str], list[Value]] = {}
    for value in values:
        s = value.subject
        groups.setdefault((shape(s), kind(s.subject) if must_fail(s.role) else s.role), []).append(value)
    found = [_lane(key, group, axis, fixture, models) for key, group in groups.items()]
    if published:
        marks = tuple(Mark("published", number, axis(number)) for number in published)
        found.append(Lane("published", "published", ", ".join(map(show, published)), marks))
    if random:
        text = f"{show(random[0])} … {show(random[1])}"
        found.append(
            Lane("random", "random draws", text, (), (axis(random[0]), max(axis(random[1]), axis(random[0]) + 0.6)))
        )
    return tuple(sorted(found, key=lambda lane: (_ORDER.index(lane.kind), lane.label)))


def run(letter: str, values: Sequence[Value], axis: Axis, fixture: str | None) -> Lane:
    """The models of one run of two: a or b. The text begins with the value of the model that decides."""
    least = min(values, key=lambda value: value.margin)
    numbers = [value.number for value in values]
    marks = [Mark(f"{letter}, {short(v.subject.subject, fixture)}", v.number, axis(v.number)) for v in values]
    if len(values) == 1:
        return Lane(letter, marks[0].label, fitted(least.number, VALUE), tuple(marks))
    text = f"{fitted(least.number, VALUE)}; {show(min(numbers))} … {show(max(numbers))}"
    return Lane(letter, f"{letter}, {len(values)} seeds", text, tuple(_dodged(marks)))


def _lane(key: tuple[str, str], group: list[Value], axis: Axis, fixture: str | None, models: int | None) -> Lane:
    name, numbers = key[1], [value.number for value in group]
    marks = [Mark(short(v.subject.subject, fixture), v.number, axis(v.number)) for v in group]
    low, high = min(numbers), max(numbers)
    text = show(low) if low == high else f"{show(low)} … {show(high)}"
    if must_fail(group[0].subject.role):
        nearest = max(range(len(group)), key=lambda i: group[i].margin)
        label = marks[0].label if len(group) == 1 else f"{len(group)} {short(name, fixture)}"
        span = (axis(low), axis(high)) if len(group) > 1 else None
        return Lane(key[0], label, text, tuple(marks), span, marks[nearest].x)
    whole = models or len(group)
    label = marks[0].label if len(group) == whole == 1 else f"{len(group)} seeds"
    label += f" of {whole}" if whole > len(group) else ""
    spread = seeds.spread(numbers) if len(group) >= seeds.LEAST else None
    middle = None
    if spread and spread.median_interval:
        ends = spread.median_interval
        middle = (axis(spread.median), axis(ends[0]), axis(ends[1]))
        text = f"median {show(spread.median)} (95 % {show(ends[0])} … {show(ends[1])}), range {text}"
    return Lane(key[0], label, text, tuple(_dodged(marks)), middle=middle)


def _dodged(marks: list[Mark]) -> Iterator[Mark]:
    """Marks that would cover each other move up, at most two rows."""
    rows: list[tuple[float, int]] = []
    for mark in marks:
        taken = {row for x, row in rows if abs(x - mark.x) < _APART}
        row = next((row for row in range(3) if row not in taken), 0)
        rows.append((mark.x, row))
        yield replace(mark, row=row)
