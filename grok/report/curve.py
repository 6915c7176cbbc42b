"""The grokking curve of a run, as positions for a drawing: losses on a log scale over steps on a log scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from grok.verdicts.number import is_number, show
from grok.verdicts.record import Curve

NAMES = {"train_loss": "train", "test_loss": "test", "restricted_loss": "restricted", "excluded_loss": "excluded"}
_LABEL = 9.0  # per cent of the height that a label takes


@dataclass(frozen=True)
class Line:
    """A polyline; points in per cent, y downwards. end: where it ends, y: where its label stands."""

    kind: str
    points: str
    end: float
    y: float


@dataclass(frozen=True)
class Phase:
    """From x to x + width, in per cent. text: its name, and the steps between which it lies."""

    name: str
    x: float
    width: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """A figure; ticks: (position in per cent, text). others: test losses of further seeds. text: all of it in words."""

    lines: tuple[Line, ...]
    others: tuple[str, ...]
    phases: tuple[Phase, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    text: str


def drawing(curve: Curve, others: tuple[Curve, ...] = ()) -> Drawing | None:
    """The figure of a run, with the test losses of further seeds behind it. None if there is nothing to draw."""
    columns = {name: curve.columns[key] for key, name in NAMES.items() if key in curve.columns}
    steps = [step for step in curve.steps if step > 0]
    further = [(other.steps, other.columns.get("test_loss", ())) for other in others]
    values = [v for column in columns.values() for v in column if is_number(v) and v > 0]
    values += [v for _, column in further for v in column if is_number(v) and v > 0]
    if len(steps) < 2 or not values:
        return None
    x = _Log(steps[0], max(steps[-1], *(s[-1] for s, _ in further), steps[-1]))
    y = _Log(10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values))))
    ends = {name: _end(column) for name, column in columns.items()}
    found = [(n, _points(curve.steps, c, x, y), 100 - y(ends[n])) for n, c in columns.items() if ends[n] > 0]
    return Drawing(
        lines=tuple(_labelled(found)),
        others=tuple(_points(s, column, x, y) for s, column in further),
        phases=tuple(_phases(curve, x)),
        x_ticks=tuple((x(tick), show(tick)) for tick in _decades(steps[0], steps[-1])),
        y_ticks=tuple((100 - y(tick), _power(tick)) for tick in _decades(min(values), max(values), most=4)),
        text=f"losses of {curve.subject}, both scales logarithmic: "
        + ", ".join(f"{name} loss ends at {show(ends[name], 2)}" for name, _, _ in found)
        + "".join(f"; {name} until step {show(step)}" for name, step in curve.phases),
    )


class _Log:
    """From values to per cent, logarithmic."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.width = math.log10(low), math.log10(high) - math.log10(low) or 1.0

    def __call__(self, value: float) -> float:
        return round(100 * (math.log10(value) - self.low) / self.width, 2)


def _end(column: tuple[float | None, ...]) -> float:
    return next((v for v in reversed(column) if is_number(v) and v > 0), 0.0)


def _points(steps: tuple[int, ...], column: tuple[float | None, ...], x: _Log, y: _Log) -> str:
    pairs = [(s, v) for s, v in zip(steps, column, strict=True) if s > 0 and is_number(v) and v > 0]
    return " ".join(f"{x(step)},{round(100 - y(value), 2)}" for step, value in pairs)


def _labelled(found: list[tuple[str, str, float]]) -> Iterator[Line]:
    """The lines with their labels moved apart, from the top down, and none below the bottom."""
    placed: list[float] = []
    ordered = sorted(found, key=lambda line: line[2])
    for _, _, end in ordered:
        placed.append(max(end, placed[-1] + _LABEL if placed else 0.0))
    for i in reversed(range(len(placed))):
        placed[i] = min(placed[i], 100.0 if i == len(placed) - 1 else placed[i + 1] - _LABEL)
    for (kind, points, end), y in zip(ordered, placed, strict=True):
        yield Line(kind, points, end, round(y, 2))


def _phases(curve: Curve, x: _Log) -> Iterator[Phase]:
    start = next(step for step in curve.steps if step > 0)
    for name, end in curve.phases:
        if end > start:
            yield Phase(name, x(start), round(x(end) - x(start), 2), f"{name}: until step {show(end)}")
            start = end


def _decades(low: float, high: float, most: int = 5) -> list[float]:
    """Powers of ten within the range, at most so many."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**e for e in range(first, last + 1, max(1, math.ceil((last - first + 1) / most)))]


def _power(value: float) -> str:
    """1e-6 → 10⁻⁶."""
    exponent = str(round(math.log10(value)))
    raised = "10" + exponent.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return {"0": "1", "1": "10"}.get(exponent, raised)
