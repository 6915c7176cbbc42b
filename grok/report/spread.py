"""How far the measures of a claim spread over seeds, as text."""

from __future__ import annotations

from dataclasses import dataclass

from grok.verdicts import seeds
from grok.verdicts.claim import Claim
from grok.verdicts.number import show


@dataclass(frozen=True)
class Row:
    """One measure over ``n`` seeds. median, sd: with their 95 % bootstrap intervals, empty where the seeds are too few.

    below: how many seeds are at or below the published value, empty where none is published.
    """

    name: str
    n: int
    median: str
    sd: str
    range: str
    published: str
    below: str


def rows(claim: Claim) -> tuple[Row, ...]:
    """Each numeric measure of a claim on at least ``seeds.LEAST`` seeds; with fewer, every seed is told anyway."""
    if len(seeds.trained(claim)) < seeds.LEAST:
        return ()
    return tuple(map(_row, seeds.measures(claim)))


def _row(measure: seeds.Measure) -> Row:
    s = seeds.spread(measure.values)
    return Row(
        name=measure.name,
        n=s.n,
        median=_interval(s.median, s.median_interval, 4) if s.median_interval else "",
        sd=_interval(s.sd, s.sd_interval, 2) if s.sd is not None and s.sd_interval else "",
        range=show(s.low) if s.low == s.high else f"{show(s.low)} … {show(s.high)}",
        published="" if measure.published is None else show(measure.published),
        below="" if measure.published is None else f"{seeds.at_or_below(measure.values, measure.published)} of {s.n}",
    )


def _interval(value: float, bounds: tuple[float, float], digits: int) -> str:
    return f"{show(value, digits)} ({show(bounds[0], digits)} … {show(bounds[1], digits)})"
