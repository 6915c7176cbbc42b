"""From the dicts of verdicts.json to what the page shows: strings, positions and flags, no markup."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from grok.report import columns, spread
from grok.report.scale import Scale, scales
from grok.verdicts.number import is_number, percent, show
from grok.verdicts.verdict import VERDICTS, grokked, grokked_note, must_fail, wilson

OVERLAID = ("loss_curves", "progress")  # one figure with every subject; the other kinds show one subject at a time
_ARXIV = re.compile(r"(?:arxiv[:\s]*)?(\d{4}\.\d{4,5})(?:v\d+)?", re.IGNORECASE)
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*")


@dataclass(frozen=True)
class Figure:
    """A plot of a card: one kind and name, and which pooled data each subject has."""

    kind: str
    name: str
    overlaid: bool
    series: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Past:
    """Margins over runs as points of a line, 0 … 100 both ways (y downwards); zero: where the margin is nought."""

    points: tuple[tuple[float, float, str, str], ...]
    zero: float
    text: str

    @property
    def line(self) -> str:
        return " ".join(f"{x},{y}" for x, y, _, _ in self.points)


@dataclass(frozen=True)
class Card:
    id: str
    title: str
    verdict: str
    css: str
    expected: str | None
    fixture: str
    source: str
    raw: dict[str, Any]
    link: str | None
    scales: tuple[Scale, ...]
    head: Scale | None  # the one with the least margin
    measured: str
    published: str
    margin: str
    margin_sign: str
    rows: tuple[tuple[str, str], ...]  # name of the evidence, published value
    expressions: tuple[str, ...]
    subjects: tuple[columns.Subject, ...]
    figures: tuple[Figure, ...]
    past: Past | None
    tally: str
    share: str  # k/n of several models
    spread: tuple[spread.Row, ...]
    runs: dict[str, bool]  # trained run → whether it grokked

    @property
    def quoted(self) -> bool:
        """Whether any evidence has a published figure."""
        return any(published for _, published in self.rows)

    @property
    def surprising(self) -> bool:
        """Not what is committed. A run says so itself: seeds beyond the committed ones are held to nothing."""
        moved = self.raw.get("moved")
        return self.expected is not None and (self.expected != self.verdict if moved is None else moved is True)

    @property
    def nearest(self) -> str:
        """The control or rival that comes nearest to a trained model, and whether the threshold lies between."""
        found = self.raw.get("separation")
        if not isinstance(found, dict):
            return ""
        if found.get("gap") is None:
            return "every control and rival fails before it comes to a number"
        between = (
            "the threshold lies between" if found.get("threshold_inside") else "the threshold does not lie between"
        )
        behind = found["gap"] > 0
        by = percent(abs(found["gap"])).lstrip("+")
        where = f"{by} of the threshold {'behind' if behind else 'ahead of'} the worst trained model"
        return f"the nearest, {found.get('nearest')}, is {where}; {between}"

    @property
    def origins(self) -> list[tuple[str, list[columns.Subject]]]:
        """Digests, and the subjects that come of each."""
        digests = dict.fromkeys(subject.digest for subject in self.subjects if subject.digest)
        return [(digest, [s for s in self.subjects if s.digest == digest]) for digest in digests]


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


def cards(verdicts: dict[str, Any], history: Sequence[dict[str, Any]], pool: Pool) -> list[Card]:
    """A card for each claim, in the order of the file; plot data goes to the pool."""
    fixtures = [card for card in verdicts["run"].get("fixtures") or [] if isinstance(card, dict)]
    return [_card(claim, history, pool, fixtures) for claim in verdicts["claims"]]


def runs_note(shown: Sequence[Card]) -> str | None:
    """Of the trained runs behind these cards how many did not grok, and which."""
    return grokked_note({name: solved for card in shown for name, solved in card.runs.items()})


def counts(shown: Sequence[Card]) -> list[tuple[str, str, int]]:
    """(verdict, css class, how many), the known verdicts first, those that occur only."""
    words = [*VERDICTS, *sorted({card.verdict for card in shown} - set(VERDICTS))]
    tallies = [(word, css(word), sum(card.verdict == word for card in shown)) for word in words]
    return [tally for tally in tallies if tally[2]]


def css(verdict: str) -> str:
    """A class name; whatever is no known verdict looks like one that was not evaluated."""
    return verdict.replace(" ", "-") if verdict in VERDICTS else "not-evaluated"


def _card(
    claim: dict[str, Any], history: Sequence[dict[str, Any]], pool: Pool, fixtures: Sequence[dict[str, Any]]
) -> Card:
    drawn = tuple(scales(claim))
    head = min(drawn, key=lambda scale: scale.margin, default=None)
    rows, expressions = columns.rows(claim), columns.expressions(claim)
    margin = claim.get("margin")
    runs = grokked(fixtures, (subject["subject"] for subject in claim["subjects"] if subject["role"] == "trained"))
    return Card(
        id=claim["id"],
        title=claim["title"],
        verdict=claim["verdict"],
        css=css(claim["verdict"]),
        expected=claim.get("expected"),
        fixture=str(claim.get("fixture") or "no fixture"),
        source=str(claim.get("source") or "no source"),
        raw=claim,
        link=_link(claim.get("url")) or _link(claim.get("ref")),
        scales=drawn,
        head=head,
        measured=head.measured if head else _first_value(claim),
        published=show(claim["published"]) if claim.get("published") is not None else "",
        margin=percent(margin),
        margin_sign="" if not is_number(margin) else "plus" if margin >= 0 else "minus",
        rows=rows,
        expressions=expressions,
        subjects=tuple(
            columns.column(subject, claim.get("fixture"), [name for name, _ in rows], expressions)
            for subject in columns.merged(claim["subjects"])
        ),
        figures=_figures(claim, pool),
        past=_past(claim["id"], history),
        tally=_tally(claim, runs),
        share=_share(claim),
        spread=spread.rows(claim),
        runs=runs,
    )


def _first_value(claim: dict[str, Any]) -> str:
    for subject in claim["subjects"]:
        for evidence in subject.get("evidence") or []:
            return show(evidence.get("value"))
    return "–"


def _counts(models: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """On how many of the evaluated ones it holds."""
    evaluated = [subject for subject in models if subject.get("holds") is not None]
    return sum(bool(subject["holds"]) for subject in evaluated), len(evaluated)


def _models(claim: dict[str, Any]) -> list[dict[str, Any]]:
    return [subject for subject in claim["subjects"] if not must_fail(subject["role"])]


def _share(claim: dict[str, Any]) -> str:
    k, n = _counts(_models(claim))
    return f"{k}/{n}" if n > 1 else ""


def _tally(claim: dict[str, Any], runs: dict[str, bool]) -> str:
    """k of n models, with the Wilson interval where there is more than one, and how many of those that grokked."""
    models = _models(claim)
    k, n = _counts(models)
    text = f"Holds on {k} of {n} model{'s' if n != 1 else ''}"
    if n > 1 and (interval := wilson(k, n)):
        text += f" (95 % interval {interval[0] * 100:.0f} … {interval[1] * 100:.0f} %)"
    if not all(runs.values()):
        grokked = [subject for subject in models if runs.get(subject["subject"])]
        text += f", on {sum(s.get('holds') is True for s in grokked)} of the {len(grokked)} that grokked"
    return text + (f"; {len(models) - n} could not be evaluated" if len(models) > n else "")


def _figures(claim: dict[str, Any], pool: Pool) -> tuple[Figure, ...]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for subject in claim["subjects"]:
        for plot in subject.get("plots") or []:
            series = {
                "subject": columns.short(subject["subject"], claim.get("fixture")),
                "role": subject["role"],
                "data": pool.add(plot.get("data")),
            }
            found.setdefault((str(plot.get("kind")), str(plot.get("name"))), []).append(series)
    return tuple(Figure(kind, name, kind in OVERLAID, tuple(s)) for (kind, name), s in found.items())


def _link(reference: Any) -> str | None:
    """Where a source is found: a web address, owner/name on GitHub, or an arXiv number; nothing else becomes a link."""
    text = str(reference or "").strip()
    if re.fullmatch(r"https://[^\s<>\"']+", text):
        return text
    if match := _ARXIV.fullmatch(text):
        return f"https://arxiv.org/abs/{match[1]}"
    return f"https://github.com/{text}" if _REPOSITORY.fullmatch(text) else None


def _past(name: str, history: Sequence[dict[str, Any]]) -> Past | None:
    runs = [(run["started"], run["claims"][name]) for run in history if name in run["claims"]]
    runs = [(when, kept) for when, kept in runs if is_number(kept["margin"])]
    if len(runs) < 2:
        return None
    margins = [kept["margin"] for _, kept in runs]
    low, high = min(0.0, *margins), max(0.0, *margins)
    height = (high - low) or 1.0
    points = tuple(
        (
            round(3 + 94 * i / (len(runs) - 1), 2),
            round(10 + 80 * (high - kept["margin"]) / height, 2),
            css(kept["verdict"]),
            f"{when}: {kept['verdict']}, margin {percent(kept['margin'])}",
        )
        for i, (when, kept) in enumerate(runs)
    )
    text = f"margin over {len(runs)} runs: {percent(margins[0])} at first, {percent(margins[-1])} now"
    return Past(points, round(10 + 80 * high / height, 2), text)
