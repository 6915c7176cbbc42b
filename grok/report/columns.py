"""The table of a card: every subject a column, every piece of evidence and every assert a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from grok.verdicts import assertion
from grok.verdicts.claim import Claim
from grok.verdicts.number import is_number, percent, show
from grok.verdicts.verdict import Assertion, Evidence, Result, kind, must_fail


@dataclass(frozen=True)
class Cell:
    """A measured value; items: the entries of a long table, shown on request."""

    text: str
    items: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Subject:
    """A column of a card. outcome: holds, fails, error or none; mood: good or bad for its role, or none.

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
        if self.outcome == "error":
            return "error"
        if not must_fail(self.role):
            return self.outcome
        return "fails, as it should" if self.outcome == "fails" else "holds, but should not"


def short(name: str, fixture: str | None) -> str:
    """A subject's name within its card.

    >>> short("modadd-mlp/seed0", "modadd-mlp"), short("modadd-mlp-wd0/seed0", "modadd-mlp")
    ('seed0', 'wd0 seed0')
    """
    family, _, last = name.rpartition("/")
    other = family.removeprefix(f"{fixture}-")
    return last if other == family else f"{other} {last}"


def css(verdict: str) -> str:
    """The class name of a verdict."""
    return verdict.replace(" ", "-")


@dataclass(frozen=True)
class Table:
    """rows: name and published value of each piece of evidence. expressions: each assert as written, and in words."""

    rows: tuple[tuple[str, str], ...]
    expressions: tuple[tuple[str, str | None], ...]
    subjects: tuple[Subject, ...]

    @property
    def quoted(self) -> bool:
        """Whether any evidence has a published figure."""
        return any(published for _, published in self.rows)


def table(claim: Claim, subjects: Sequence[Result]) -> Table:
    """A column for each of these subjects; the rows are those of the claim."""
    names, asserted = _rows(claim), expressions(claim)
    return Table(
        rows=names,
        expressions=tuple((expression, named(claim, expression)) for expression in asserted),
        subjects=tuple(column(subject, claim.fixture, [name for name, _ in names], asserted) for subject in subjects),
    )


def named(claim: Claim, expression: str) -> str | None:
    """An assert of the claim in words, or None (``assertion.named``)."""
    return assertion.named([a for s in claim.subjects for a in s.asserts if a.expression == expression])


def _rows(claim: Claim) -> tuple[tuple[str, str], ...]:
    """Name and published value of each piece of evidence, whichever subject has it."""
    names: dict[str, str] = {}
    for subject in claim.subjects:
        for e in subject.evidence:
            names[e.name] = names.get(e.name) or ("" if e.published is None else _cell(e.published).text)
    return tuple(names.items())


def expressions(claim: Claim) -> tuple[str, ...]:
    """Each asserted expression, whichever subject reached it."""
    return tuple(dict.fromkeys(a.expression for subject in claim.subjects for a in subject.asserts))


def column(subject: Result, fixture: str | None, names: Sequence[str], asserted: Sequence[str]) -> Subject:
    """A subject under the given evidence and asserts."""
    holds, values = subject.holds, _values([subject])
    reason = subject.error or subject.reason or ""
    outcome = "error" if subject.error else {True: "holds", False: "fails", None: "none"}[holds]
    right = "fails" if must_fail(subject.role) else "holds"
    said = holds is not None and any(reason == a.values for a in subject.asserts)
    made = {a.expression: a for a in sorted(subject.asserts, key=lambda a: not a.passed)}
    return Subject(
        name=subject.subject,
        short=short(subject.subject, fixture),
        role=subject.role,
        outcome=outcome,
        mood="none" if outcome == "none" else "good" if outcome == right else "bad",
        margin=percent(subject.margin),
        note="" if said else reason,
        device=subject.device or "",
        digest=subject.digest or "",
        cells=tuple(_cells(values.get(name, [])) for name in names),
        asserted=tuple(_asserted(made.get(expression)) for expression in asserted),
    )


@dataclass(frozen=True)
class Outcome:
    """What came of a claim on the networks of one kind. shape: the kind of their mark. mood: good or bad, or none."""

    shape: str
    text: str
    mood: str


def outcomes(claim: Claim) -> tuple[Outcome, ...]:
    """For the trained networks, and for each kind on which the claim must fail."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for s in claim.subjects:
        groups.setdefault((shape(s), kind(s.subject) if must_fail(s.role) else s.role), []).append(s)
    return tuple(Outcome(mark, *_outcome(name, group, claim.fixture)) for (mark, name), group in groups.items())


def _outcome(name: str, group: list[Result], fixture: str | None) -> tuple[str, str]:
    must, n = must_fail(group[0].role), len(group)
    who = short(group[0].subject, fixture) if n == 1 else f"{n} {short(name, fixture) if must else 'seeds'}"
    known = [s for s in group if s.holds is not None]
    holding = sum(s.holds is True for s in known)
    if any(s.error for s in group):
        return f"{who}: error", "bad"
    if not known:
        return f"{who}: not evaluated", "none"
    if n == 1:
        said = "holds" if holding else "fails"
    else:
        said = f"holds on {holding} of {len(known)}" if holding or not must else "fails on all"
        said += f", {n - len(known)} not evaluated" if n > len(known) else ""
    good = not holding if must else holding == len(known)
    return f"{who}: {said}{', but must fail' if must and holding else ''}", "good" if good else "bad"


def shape(subject: Result) -> str:
    """The kind of mark of a network: its role; of a control, untrained or memorised if it is."""
    if subject.role != "control":
        return subject.role
    return next((word for word in ("untrained", "memorised") if word in subject.subject), "control")


def _values(subjects: Sequence[Result]) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {}
    for subject in subjects:
        for evidence in subject.evidence:
            values.setdefault(evidence.name, []).append(evidence.value)
    return values


def merged(subjects: Sequence[Result]) -> list[Result]:
    """Networks of one kind that must fail, ten untrained ones say, as one subject whose numbers are ranges.

    It holds if any of them does. The margin is the greatest: that of the one which comes nearest to passing.
    """
    groups: dict[tuple[str, str], list[Result]] = {}
    for subject in subjects:
        name = kind(subject.subject) if must_fail(subject.role) else subject.subject
        groups.setdefault((subject.role, name), []).append(subject)
    return [group[0] if len(group) == 1 else _merged(name, group) for (_, name), group in groups.items()]


def _merged(name: str, group: list[Result]) -> Result:
    def near(s: Result) -> tuple[bool, bool, float]:
        return s.error is not None, s.holds is True, -math.inf if s.margin is None else s.margin

    outcomes, nearest = [s.holds for s in group], max(group, key=near)
    return replace(
        nearest,
        subject=f"{len(group)} {name}",
        holds=True if True in outcomes else None if None in outcomes else False,
        reason=f"holds on {outcomes.count(True)} of {len(group)}; nearest: {nearest.subject.rpartition('/')[2]}",
        digest=None,
        evidence=[Evidence(key, _range(found)) for key, found in _values(group).items()],
    )


def _range(values: list[Any]) -> Any:
    numbers = [v for v in values if is_number(v)]
    if len(numbers) < len(values):
        return values[0] if all(v == values[0] for v in values) else "differ"
    return numbers[0] if min(numbers) == max(numbers) else f"{show(min(numbers))} … {show(max(numbers))}"


def _asserted(made: Assertion | None) -> tuple[str, str]:
    if made is None:
        return "", ""
    text = made.values if len(made.values) <= 90 else f"{made.values[:89]}…"
    return "passed" if made.passed else "failed", text


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
