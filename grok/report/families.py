"""The networks that claims are about: what each family has learned, who describes it, its curve and its verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from grok.report.curve import Drawing, drawing
from grok.report.view import NO_FIXTURE, Card, counts, runs_note
from grok.verdicts.record import Run, Verdicts
from grok.verdicts.verdict import judged

_TASKS = {
    "add_mod": "(a + b) mod {p}",
    "sub_mod": "(a − b) mod {p}",
    "add": "a + b, digits below {p}",
    "dihedral": "the symmetries of a polygon with {p} corners",
    "symmetric": "the permutations of {p} things",
    "alternating": "the even permutations of {p} things",
}
_ARCHITECTURES = {
    "mlp": "MLP with one hidden layer",
    "concat": "MLP with two embeddings side by side",
    "quadratic": "MLP with squared neurons",
    "transformer": "transformer with one layer",
    "pizza-a": "transformer with constant attention",
    "pizza-b": "transformer without the token =",
}


@dataclass(frozen=True)
class Family:
    """A section of the page. name: the recipe. title: task and architecture, or what is known instead.

    facts: label and text. sources: title and link. keys: K of the first seed as text; periodic: it has any. curve: None
    with ``no_curve``, the reason.
    """

    name: str
    title: str
    cards: tuple[Card, ...]
    facts: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str | None], ...]
    keys: str
    periodic: bool
    curve: Drawing | None
    no_curve: str
    runs: str | None

    @property
    def counts(self) -> list[tuple[str, str, int]]:
        return counts(self.cards)


def families(verdicts: Verdicts, shown: Sequence[Card]) -> list[Family]:
    """A family for each fixture of the claims, in their order; those whose networks have key frequencies come first."""
    names = dict.fromkeys(card.fixture for card in shown)
    found = [_family(name, [card for card in shown if card.fixture == name], verdicts.run) for name in names]
    return sorted(found, key=lambda family: (family.name == NO_FIXTURE, family.curve is None, not family.periodic))


def _family(name: str, cards: list[Card], run: Run) -> Family:
    trained = {s.subject: s for card in cards for s in judged(card.claim.subjects)}
    known = [f for f in run.fixtures if f"{f.get('fixture')}/seed{f.get('seed')}" in trained]
    curves = [curve for curve in run.curves if curve.subject in trained]
    figure = drawing(curves[0], tuple(curves[1:])) if curves else None
    sources = {card.claim.source_title or card.source: card.link for card in cards}
    checkpoint = any(s.role == "checkpoint" for s in trained.values())
    return Family(
        name=name,
        title=_title([f for f in run.fixtures if f.get("fixture") == name], name, sources),
        cards=tuple(cards),
        facts=tuple((label, text) for label, text in _facts(known, [*trained], checkpoint) if text),
        sources=tuple(sources.items()),
        keys=_keys(curves[0].key_frequencies, known) if curves else "",
        periodic=bool(curves and curves[0].key_frequencies),
        curve=figure,
        no_curve="" if figure else "A checkpoint has no training run." if checkpoint else "No curve is recorded.",
        runs=runs_note(cards),
    )


def _title(known: Sequence[dict[str, Any]], name: str, sources: Iterable[str]) -> str:
    if name == NO_FIXTURE:
        return "; ".join(sources) or "Models that the tests bring themselves"
    if not known or known[0].get("operation") is None:
        return name
    task = _TASKS.get(str(known[0]["operation"]), "{operation}, p = {p}").format(**known[0])
    return f"{task}, {_architecture(known[0])}"


def _architecture(card: dict[str, Any]) -> str:
    return _ARCHITECTURES.get(str(card.get("architecture")), str(card.get("architecture")))


def _facts(known: Sequence[dict[str, Any]], trained: Sequence[str], checkpoint: bool) -> Iterable[tuple[str, str]]:
    numbers = sorted(int(s.rpartition("/seed")[2]) for s in trained if s.rpartition("/seed")[2].isdigit())
    if checkpoint:
        yield "checkpoint", ", ".join(trained)
    elif numbers:
        yield "seed" if len(numbers) == 1 else "seeds", ", ".join(map(str, numbers))
    yield "trained on", ", ".join(dict.fromkeys(str(f["device"]) for f in known if f.get("device")))
    yield "for", ", ".join(dict.fromkeys(f"{f['steps']:,} steps" for f in known if isinstance(f.get("steps"), int)))


def _keys(keys: tuple[int, ...] | None, known: Sequence[dict[str, Any]]) -> str:
    if keys:
        return ", ".join(map(str, keys))
    plain = any(f.get("operation") == "add" for f in known)
    return "none: plain addition has no frequencies" if plain else "no frequency stands out"
