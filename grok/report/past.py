"""The margin of a claim over earlier runs, as a small line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grok.report.columns import css
from grok.report.history import Earlier
from grok.verdicts.number import percent


@dataclass(frozen=True)
class Past:
    """Margins over runs as points of a line, 0 … 100 both ways (y downwards); zero: where the margin is nought."""

    points: tuple[tuple[float, float, str, str], ...]
    zero: float
    text: str

    @property
    def line(self) -> str:
        return " ".join(f"{x},{y}" for x, y, _, _ in self.points)


def past(name: str, history: Sequence[Earlier]) -> Past | None:
    """Of the claim of this id; None if fewer than two runs have a margin of it."""
    runs = [(run.started or "", run.claims[name]) for run in history if name in run.claims]
    told = [(when, kept.verdict, kept.margin) for when, kept in runs if kept.margin is not None]
    if len(told) < 2:
        return None
    margins = [margin for _, _, margin in told]
    low, high = min(0.0, *margins), max(0.0, *margins)
    height = (high - low) or 1.0
    points = tuple(
        (
            round(3 + 94 * i / (len(told) - 1), 2),
            round(10 + 80 * (high - margin) / height, 2),
            css(word),
            f"{when}: {word}, margin {percent(margin)}",
        )
        for i, (when, word, margin) in enumerate(told)
    )
    text = f"margin over {len(told)} runs: {percent(margins[0])} at first, {percent(margins[-1])} now"
    return Past(points, round(10 + 80 * high / height, 2), text)
