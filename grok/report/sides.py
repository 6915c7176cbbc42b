"""Two runs side by side as a page: what differs first, and the numbers of each claim on one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grok.files import write_bytes
from grok.report import columns, page, scale
from grok.report.compared import counted
from grok.report.lists import lead
from grok.report.view import Card, Pool, cards, counts
from grok.verdicts.claim import Claim
from grok.verdicts.compare import ANOTHER_VALUE, ANOTHER_VERDICT, ONLY_A, ONLY_B, SAME, Pair, pairs
from grok.verdicts.record import Run, Verdicts
from grok.verdicts.verdict import judged

LETTERS = ("a", "b")
_MEANING = {
    ANOTHER_VERDICT: "In b the claim has another verdict than in a.",
    ANOTHER_VALUE: "The verdict is the same. The number that decides is another one.",
    SAME: "The verdict is the same, and so are five digits of the number that decides, if there is one.",
    ONLY_A: "These claims are not in b.",
    ONLY_B: "These claims are not in a.",
}


@dataclass(frozen=True)
class Row:
    """A claim in both runs, or in one. sides: the card of each run that has it, by its letter."""

    pair: Pair
    sides: dict[str, Card]
    scale: scale.Scale | None
    table: columns.Table

    @property
    def card(self) -> Card:
        """What does not depend on the run is taken from the first that has the claim."""
        return next(iter(self.sides.values()))

    @property
    def values(self) -> dict[str, str]:
        """Of each run that has the claim."""
        return {letter: text for letter, text in zip(LETTERS, self.pair.shown, strict=True) if letter in self.sides}


@dataclass(frozen=True)
class Group:
    """The claims that differ in one way, or do not."""

    title: str
    meaning: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Source:
    """One of the two runs, with what was tested on what and the number of each verdict."""

    letter: str
    name: str
    lead: str
    run: Run
    counts: list[tuple[str, str, int]]
    claims: int


def render(names: tuple[str, str], runs: tuple[Verdicts, Verdicts]) -> str:
    """The page. names: what the two runs are called, their files say."""
    shown = [cards(run, (), Pool()) for run in runs]
    found = pairs(runs[0].claims, runs[1].claims)
    rows = list(_rows(found, shown))
    groups = [
        Group(kind, meaning, tuple(row for row in rows if row.pair.kind == kind))
        for kind, meaning in _MEANING.items()
        if any(pair.kind == kind for pair in found)
    ]
    return page.framed(
        "compare.html",
        ("page.css", "compare.css"),
        names=names,
        summary=counted(found),
        runs=[
            Source(letter, name, lead(run.claims), run.run, counts(each), len(each))
            for letter, name, run, each in zip(LETTERS, names, runs, shown, strict=True)
        ],
        groups=groups,
        chips=[(group.title, "", len(group.rows)) for group in groups],
        rows=rows,
        sources=sorted({row.card.source for row in rows}),
        fixtures=list(dict.fromkeys(row.card.fixture for row in rows)),
        published=any(lane.kind == "published" for row in rows if row.scale for lane in row.scale.lanes),
    )


def write(names: tuple[str, str], runs: tuple[Verdicts, Verdicts], path: Path) -> None:
    """Render and write atomically."""
    write_bytes(path, render(names, runs).encode())


def _rows(found: Sequence[Pair], shown: Sequence[Sequence[Card]]) -> Iterator[Row]:
    by_id = {letter: {card.claim.id: card for card in each} for letter, each in zip(LETTERS, shown, strict=True)}
    for pair in found:
        sides = {letter: each[pair.id] for letter, each in by_id.items() if pair.id in each}
        both = {letter: side for letter, side in zip(LETTERS, (pair.first, pair.second), strict=True) if side}
        drawn = scale.both({letter: (s.claim, s.made.expression) for letter, s in both.items() if s.made})
        yield Row(pair, sides, drawn, _table({letter: side.claim for letter, side in both.items()}))


def _table(claims: dict[str, Claim]) -> columns.Table:
    """A column for each model of each run, under all that was measured in one of them."""
    models = [(letter, s) for letter, claim in claims.items() for s in judged(claim.subjects)]
    whole = replace(next(iter(claims.values())), subjects=tuple(s for _, s in models))
    table = columns.table(whole, whole.subjects)
    named = zip(models, table.subjects, strict=True)
    return replace(table, subjects=tuple(replace(s, short=f"{letter}, {s.short}") for (letter, _), s in named))
