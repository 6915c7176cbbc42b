"""From the verdicts to what the page shows: strings, positions and flags, no markup."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from grok.report import columns, docstring, findings, spread
from grok.report.findings import Findings, Passage
from grok.report.history import Earlier
from grok.report.past import Past, past
from grok.report.scale import Scale, scales
from grok.verdicts import seeds
from grok.verdicts.claim import Claim
from grok.verdicts.number import percent, show
from grok.verdicts.record import Verdicts
from grok.verdicts.runs import grokked, grokked_note
from grok.verdicts.verdict import VERDICTS, judged

OVERLAID = ("loss_curves", "progress")  # one figure with every subject; the other kinds show one subject at a time
_MARKS = (
    ("trained", "trained network"),
    ("checkpoint", "checkpoint"),
    ("threshold", "threshold, shaded where the claim holds"),
    ("untrained", "untrained"),
    ("memorised", "memorised"),
    ("control", "control"),
    ("rival", "rival"),
    ("published", "published"),
    ("random", "random draws"),
    ("span", "range of several, with the mark at the nearest"),
)
NO_FIXTURE = "no fixture"
_ARXIV = re.compile(r"(?:arxiv[:\s]*)?(\d{4}\.\d{4,5})(?:v\d+)?", re.IGNORECASE)
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*")


@dataclass(frozen=True)
class Figure:
    """A plot of a card: one kind and name, what to see on it, and which pooled data each subject has."""

    kind: str
    name: str
    see: str
    overlaid: bool
    series: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Card:
    """A claim with the texts and drawings that the page shows."""

    claim: Claim
    css: str
    fixture: str
    source: str
    link: str | None
    text: tuple[docstring.Block, ...]
    findings: tuple[Passage, ...]
    outcomes: tuple[columns.Outcome, ...]
    scales: tuple[Scale, ...]
    head: Scale | None  # the one with the least margin
    measured: str
    table: columns.Table
    figures: tuple[Figure, ...]
    past: Past | None
    spread: tuple[spread.Row, ...]
    runs: dict[str, bool]  # trained run → whether it grokked

    @property
    def id(self) -> str:
        """The claim's id without its family, which stands beside it."""
        return self.claim.name

    @property
    def published(self) -> str:
        return "" if self.claim.published is None else show(self.claim.published)

    @property
    def margin(self) -> str:
        return percent(self.claim.margin)

    @property
    def margin_sign(self) -> str:
        margin = self.claim.margin
        return "" if margin is None else "plus" if margin >= 0 else "minus"

    @property
    def share(self) -> str:
        """k/n of several models."""
        return f"{self.claim.k}/{self.claim.n}" if self.claim.n > 1 else ""

    @property
    def tally(self) -> str:
        """k of n models, with the Wilson interval where there is more than one, and how many of those that grokked."""
        k, n, models = self.claim.k, self.claim.n, judged(self.claim.subjects)
        text = f"Holds on {k} of {n} model{'s' if n != 1 else ''}"
        if n > 1 and self.claim.wilson:
            low, high = self.claim.wilson
            text += f" (95 % interval {low * 100:.0f} … {high * 100:.0f} %)"
        if not all(self.runs.values()):
            grokked = [s for s in models if self.runs.get(s.subject)]
            text += f", on {sum(s.holds is True for s in grokked)} of the {len(grokked)} that grokked"
        return text + (f"; {len(models) - n} could not be evaluated" if len(models) > n else "")

    @property
    def nearest(self) -> str:
        """The control or rival that comes nearest to a trained model, and whether the threshold lies between."""
        found = self.claim.separation
        if found is None:
            return ""
        if found.gap is None:
            return "every control and rival fails before it comes to a number"
        between = f"the threshold {'lies' if found.threshold_inside else 'does not lie'} between"
        by = percent(abs(found.gap)).lstrip("+")
        where = f"{by} of the threshold {'behind' if found.gap > 0 else 'ahead of'} the worst trained model"
        return f"the nearest, {found.nearest}, is {where}; {between}"

    @property
    def origins(self) -> list[tuple[str, list[columns.Subject]]]:
        """Digests, and the subjects that come of each."""
        digests = dict.fromkeys(subject.digest for subject in self.table.subjects if subject.digest)
        return [(digest, [s for s in self.table.subjects if s.digest == digest]) for digest in digests]


@dataclass
class Pool:
    """Plot data of the whole page, each distinct one once."""

    data: list[Any] = field(default_factory=list)
    _index: dict[str, int] = field(default_factory=dict)

    def add(self, data: Any) -> int:
        key = json.dumps(data, sort_keys=True)
        if key not in self._index:
            self._index[key] = len(self.data)
            self.data.append(data)
        return self._index[key]


def cards(verdicts: Verdicts, history: Sequence[Earlier], pool: Pool) -> list[Card]:
    """A card for each claim, in the order of the file; plot data goes to the pool."""
    said = findings.load()
    return [_card(claim, history, pool, verdicts.run.fixtures, said) for claim in verdicts.claims]


def runs_note(shown: Sequence[Card]) -> str | None:
    """A note of how many trained runs of these cards did not grok, and which."""
    return grokked_note({name: solved for card in shown for name, solved in card.runs.items()})


def counts(shown: Sequence[Card]) -> list[tuple[str, str, int]]:
    """(verdict, css class, number of claims) for each verdict that occurs."""
    tallies = [(word, columns.css(word), sum(card.claim.verdict == word for card in shown)) for word in VERDICTS]
    return [tally for tally in tallies if tally[2]]


def legend(shown: Sequence[Card]) -> list[tuple[str, str]]:
    """(mark, what it means) of those that the lines of the list have."""
    lanes = [lane for card in shown if card.head for lane in card.head.lanes]
    found = {lane.kind for lane in lanes} | {"threshold"} if lanes else set()
    found |= {"span"} if any(lane.span and lane.marks for lane in lanes) else set()
    return [(mark, text) for mark, text in _MARKS if mark in found]


def _card(
    claim: Claim, history: Sequence[Earlier], pool: Pool, fixtures: Sequence[dict[str, Any]], said: Findings
) -> Card:
    drawn = tuple(scales(claim))
    head = min(drawn, key=lambda scale: scale.margin, default=None)
    return Card(
        claim=claim,
        css=columns.css(claim.verdict),
        fixture=claim.fixture or NO_FIXTURE,
        source=claim.source or "no source",
        link=_link(claim.url) or _link(claim.ref),
        text=docstring.blocks(claim.text),
        findings=findings.of(claim, said),
        outcomes=columns.outcomes(claim),
        scales=drawn,
        head=head,
        measured=head.measured if head else next((show(e.value) for s in claim.subjects for e in s.evidence), "–"),
        table=columns.table(claim, columns.merged(claim.subjects)),
        figures=_figures(claim, pool),
        past=past(claim.id, history),
        spread=spread.rows(claim),
        runs=grokked(fixtures, (s.subject for s in seeds.trained(claim))),
    )


def _figures(claim: Claim, pool: Pool) -> tuple[Figure, ...]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    told: dict[tuple[str, str], str] = {}
    for subject in claim.subjects:
        name = columns.short(subject.subject, claim.fixture)
        for plot in subject.plots:
            series = {"subject": name, "role": subject.role, "data": pool.add(plot.data)}
            found.setdefault((plot.kind, plot.name), []).append(series)
            told[plot.kind, plot.name] = str(plot.data.get("see") or told.get((plot.kind, plot.name), ""))
    return tuple(Figure(kind, name, told[kind, name], kind in OVERLAID, tuple(s)) for (kind, name), s in found.items())


def _link(reference: str | None) -> str | None:
    """The link of a source, from a web address, owner/name on GitHub, or an arXiv number; None for anything else."""
    text = (reference or "").strip()
    if re.fullmatch(r"https://[^\s<>\"']+", text):
        return text
    if match := _ARXIV.fullmatch(text):
        return f"https://arxiv.org/abs/{match[1]}"
    return f"https://github.com/{text}" if _REPOSITORY.fullmatch(text) else None
