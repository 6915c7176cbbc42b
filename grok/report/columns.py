"""The table of a card: every subject a column, every piece of evidence and every assert a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grok.verdicts.number import is_number, percent, show
from grok.verdicts.verdict import kind, must_fail


@dataclass(frozen=True)
class Cell:
    """A measured value; items: the entries of a long table, shown on request."""

    text: str
    items: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Subject:
    """A column of a card. outcome: holds, fails or none; mood: good or bad for its role, or none.

    asserted: for each asserted expression "passed", "failed" or "" (not reached), and its numbers.
    """

    name: str
    short: str
    role: str
    outcome: str
    mood: str
    margin: str
    note: str
    device: str
    digest: str
    cells: tuple[Cell, ...]
    asserted: tuple[tuple[str, str], ...]

    @property
    def outcome_text(self) -> str:
        if self.outcome == "none":
            return "not evaluated"
        if not must_fail(self.role):
            return self.outcome
        return "fails, as it should" if self.outcome == "fails" else "holds, but should not"


def short(name: str, fixture: object) -> str:
    """A subject's name within its card.

    >>> short("modadd-mlp/seed0", "modadd-mlp"), short("modadd-mlp-wd0/seed0", "modadd-mlp")
    ('seed0', 'wd0 seed0')
    """
    family, _, last = name.rpartition("/")
    other = family.removeprefix(f"{fixture}-")
    return last if other == family else f"{other} {last}"


def rows(claim: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Name and published value of each piece of evidence, whichever subject has it."""
    names: dict[str, str] = {}
    for subject in claim["subjects"]:
        for evidence in subject.get("evidence") or []:
            published = evidence.get("published")
            name = str(evidence.get("name"))
            names[name] = names.get(name) or ("" if published is None else _cell(published).text)
    return tuple(names.items())


def expressions(claim: dict[str, Any]) -> tuple[str, ...]:
    """Each asserted expression, whichever subject reached it."""
    made = (a for subject in claim["subjects"] for a in subject.get("asserts") or [])
    return tuple(dict.fromkeys(str(a.get("expression")) for a in made))


def column(subject: dict[str, Any], fixture: object, names: Sequence[str], asserted: Sequence[str]) -> Subject:
    """A subject under the given evidence and asserts."""
    holds, control = subject.get("holds"), must_fail(subject["role"])
    values: dict[str, list[Any]] = {}
    for evidence in subject.get("evidence") or []:
        values.setdefault(str(evidence.get("name")), []).append(evidence.get("value"))
    reason = str(subject.get("error") or subject.get("reason") or "")
    said = holds is not None and any(reason == a.get("values") for a in subject.get("asserts") or [])
    made = {
        str(a.get("expression")): a for a in sorted(subject.get("asserts") or [], key=lambda a: not a.get("passed"))
    }
    return Subject(
        name=subject["subject"],
        short=short(subject["subject"], fixture),
        role=subject["role"],
        outcome="holds" if holds is True else "fails" if holds is False else "none",
        mood="none" if holds is None else "good" if holds != control else "bad",
        margin=percent(subject.get("margin")),
        note="" if said else reason,
        device=str(subject.get("device") or ""),
        digest=str(subject.get("digest") or ""),
        cells=tuple(_cells(values.get(name, [])) for name in names),
        asserted=tuple(_asserted(made.get(expression)) for expression in asserted),
    )


def merged(subjects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Networks of one kind that must fail, ten untrained ones say, as one subject whose numbers are ranges.

    It holds if any of them does. The margin is the greatest: that of the one which comes nearest to passing.
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for subject in subjects:
        name = kind(subject["subject"]) if must_fail(subject["role"]) else subject["subject"]
        groups.setdefault((subject["role"], name), []).append(subject)
    return [group[0] if len(group) == 1 else _merged(name, group) for (_, name), group in groups.items()]


def _merged(name: str, group: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes = [s.get("holds") for s in group]
    nearest = max(
        group, key=lambda s: (s.get("holds") is True, s["margin"] if is_number(s.get("margin")) else -math.inf)
    )
    values: dict[str, list[Any]] = {}
    for subject in group:
        for evidence in subject.get("evidence") or []:
            values.setdefault(str(evidence.get("name")), []).append(evidence.get("value"))
    holding = f"holds on {outcomes.count(True)} of {len(group)}; nearest: {nearest['subject'].rpartition('/')[2]}"
    return {
        **nearest,
        "subject": f"{len(group)} {name}",
        "holds": True if True in outcomes else None if None in outcomes else False,
        "reason": holding,
        "digest": None,
        "evidence": [{"name": key, "value": _range(found)} for key, found in values.items()],
    }


def _range(values: list[Any]) -> Any:
    numbers = [v for v in values if is_number(v)]
    if len(numbers) < len(values):
        return values[0] if all(v == values[0] for v in values) else "differ"
    return numbers[0] if min(numbers) == max(numbers) else f"{show(min(numbers))} … {show(max(numbers))}"


def _asserted(made: dict[str, Any] | None) -> tuple[str, str]:
    if made is None:
        return "", ""
    text = str(made.get("values"))
    return "passed" if made.get("passed") else "failed", text if len(text) <= 90 else f"{text[:89]}…"


def _cells(values: list[Any]) -> Cell:
    """One value; or several, when a claim records one name more than once."""
    return _cell(values[0]) if len(values) == 1 else Cell("; ".join(_cell(value).text for value in values))


def _cell(value: Any) -> Cell:
    if not isinstance(value, dict):
        return Cell(show(value))
    items = tuple((str(key), show(entry)) for key, entry in value.items())
    if len(items) <= 4:
        return Cell("; ".join(f"{key}: {entry}" for key, entry in items))
    numbers = [entry for entry in value.values() if is_number(entry)]
    spread = f", {show(min(numbers))} … {show(max(numbers))}" if numbers else ""
    return Cell(f"{len(items)} values{spread}", items)
