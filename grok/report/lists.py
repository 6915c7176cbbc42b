"""The story: what was tested on what, what came back, what did not, and what says nothing of the algorithm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grok.report.columns import shape
from grok.report.view import Card
from grok.verdicts.claim import Claim
from grok.verdicts.verdict import must_fail

FIRST = 8  # of a list, shown without opening it

_LISTS = (
    ("What came back", ("replicated",), "It holds on every network tested, and fails on every control and rival."),
    ("What did not", ("refuted", "mixed"), "It fails on a network tested, by the numbers given."),
    (
        "What says nothing of the algorithm",
        ("vacuous", "unspecific"),
        "It holds, but also on a network that learned nothing or that works in another way.",
    ),
    (
        "What is not decided",
        ("uncontrolled", "not evaluated", "error"),
        "No control was tried, or it was not measured.",
    ),
)


_MUST_FAIL = {
    "untrained": "are untrained",
    "memorised": "have only memorised their examples",
    "control": "are controls",
    "rival": "solve the task in another way",
}


def lead(claims: Sequence[Claim]) -> str:
    """A sentence that says on what the claims were tested, whether they are about shipped networks or the user's."""
    subjects = {s.subject: s for claim in claims for s in claim.subjects}.values()
    files = [s.subject for s in subjects if s.role == "checkpoint"]
    tested = ", ".join(files) or "trained networks"
    shapes = {shape(s) for s in subjects if must_fail(s.role)}
    shapes -= {"control"} if len(shapes) > 1 else set()
    *others, last = [words for kind, words in _MUST_FAIL.items() if kind in shapes] or [""]
    count = f"{len(claims)} claim{'s' if len(claims) != 1 else ''}, tested on {tested}"
    if not last:
        return f"{count}. No control or rival was tried."
    if shapes == {"control"}:
        return f"{count}, and required to fail on controls."
    return f"{count}, and required to fail on networks that {', '.join(others)}{' or ' if others else ''}{last}."


@dataclass(frozen=True)
class List:
    """first: claims of every family in turn, those about the mechanism before others; rest: all others, in order."""

    title: str
    meaning: str
    first: tuple[Card, ...]
    rest: tuple[Card, ...]

    @property
    def n(self) -> int:
        return len(self.first) + len(self.rest)


def lists(shown: Sequence[Card]) -> Iterator[List]:
    """Those that have a claim."""
    for title, words, meaning in _LISTS:
        cards = [card for card in shown if card.claim.verdict in words]
        if cards:
            first = cards if len(cards) <= FIRST else _first(cards)
            yield List(title, meaning, tuple(first), tuple(card for card in cards if card not in first))


def _first(cards: Sequence[Card]) -> list[Card]:
    """Each family in turn gives its next claim that no other has given; in the end they stand family by family."""
    groups = [[card for card in cards if card.fixture == name] for name in dict.fromkeys(c.fixture for c in cards)]
    waiting = [sorted(group, key=lambda card: card.claim.about == "behaviour") for group in groups]
    chosen: dict[str, Card] = {}
    while len(chosen) < FIRST and any(waiting):
        for group in waiting:
            group[:] = [card for card in group if card.id not in chosen]
            if group and len(chosen) < FIRST:
                card = group.pop(0)
                chosen[card.id] = card
    return [card for group in groups for card in group if chosen.get(card.id) is card]
