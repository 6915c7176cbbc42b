"""How far the measures of a claim spread over seeds: as a strip of points, and as text."""

from __future__ import annotations

from dataclasses import dataclass

from grok.report.axis import Axis
from grok.report.lanes import Lane, Value, lanes
from grok.verdicts import seeds
from grok.verdicts.claim import Claim
from grok.verdicts.number import is_number, show


@dataclass(frozen=True)
class Row:
    """One measure over ``n`` seeds. median, sd: with their 95 % bootstrap intervals, empty where the seeds are too few.

    below: how many seeds are at or below the published value, empty where none is published. lanes: every network that
    has the measure, all on one axis.
    """

    name: str
    n: int
    median: str
    sd: str
    range: str
    published: str
    below: str
    lanes: tuple[Lane, ...]


def rows(claim: Claim) -> tuple[Row, ...]:
    """Each numeric measure of a claim on at least ``seeds.LEAST`` seeds; with fewer, every seed is told anyway."""
    if len(seeds.trained(claim)) < seeds.LEAST:
        return ()
    return tuple(_row(claim, measure) for measure in seeds.measures(claim))


def _row(claim: Claim, measure: seeds.Measure) -> Row:
    s = seeds.spread(measure.values)
    found = [(each, [e.value for e in each.evidence if e.name == measure.name]) for each in claim.subjects]
    values = [Value(each, x[0]) for each, x in found if len(x) == 1 and is_number(x[0])]
    published = () if measure.published is None else (measure.published,)
    axis = Axis.over([*(value.number for value in values), *published], [*measure.values, *published])
    return Row(
        name=measure.name,
        n=s.n,
        median=_interval(s.median, s.median_interval, 4) if s.median_interval else "",
        sd=_interval(s.sd, s.sd_interval, 2) if s.sd is not None and s.sd_interval else "",
        range=show(s.low) if s.low == s.high else f"{show(s.low)} … {show(s.high)}",
        published="" if measure.published is None else show(measure.published),
        below="" if measure.published is None else f"{seeds.at_or_below(measure.values, measure.published)} of {s.n}",
        lanes=lanes(values, axis, claim.fixture, published),
    )


def _interval(value: float, bounds: tuple[float, float], digits: int) -> str:
    return f"{show(value, digits)} ({show(bounds[0], digits)} … {show(bounds[1], digits)})"
