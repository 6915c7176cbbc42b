"""The gate: is every verdict the expected one, and is none missing?"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grok.verdicts import verdict
from grok.verdicts.number import is_number, percent

# worst first
KINDS = ("missing", "not evaluated", "contradiction", "verdict", "subject", "separation", "margin", "new")
_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Change:
    """One reason why the gate says no.

    kind: one of ``KINDS``. was, now: verdict (or truth on a subject) expected and found. margins: expected and found,
    None where there is none.
    """

    claim: str
    kind: str
    was: str
    now: str
    margin_was: float | None = None
    margin_now: float | None = None
    detail: str = ""

    @property
    def drop(self) -> float:
        """By how much the margin shrank; 0 where it is not known."""
        if self.margin_was is None or self.margin_now is None:
            return 0.0
        return self.margin_was - self.margin_now

    def __str__(self) -> str:
        text = f"{self.claim}: {self.detail or f'{self.was} → {self.now}'}"
        if self.margin_was is not None or self.margin_now is not None:
            text += f" (margin {percent(self.margin_was)} → {percent(self.margin_now)})"
        return text


def compare(
    verdicts: dict[str, Any],
    expected: dict[str, Any],
    max_margin_drop: float | None = None,
    require_separation: bool = False,
) -> list[Change]:
    """Everything that makes the gate fail, worst first; empty if it passes.

    A claim fails that is missing, was not evaluated though a verdict is expected, has another verdict, has another
    outcome on a subject that was recorded, lost more than ``max_margin_drop`` of its margin (in units of the
    threshold), or has no expected verdict yet. With ``require_separation`` a claim fails too whose trained models stood
    apart from every control and rival, with the threshold between, and no longer do. So does a record that contradicts
    itself (see ``contradictions``).
    """
    found = {claim["id"]: claim for claim in verdicts["claims"]}
    changes: list[Change] = []
    for name, want in expected["claims"].items():
        if name not in found:
            margin = _number(want.get("margin"))
            changes.append(
                Change(name, "missing", want["verdict"], "missing", margin, detail="was not run, or is gone")
            )
    for name, claim in found.items():
        changes.extend(_of_claim(claim, expected["claims"].get(name), max_margin_drop, require_separation))
    return sorted(changes, key=_badness)


def accepted(verdicts: dict[str, Any]) -> dict[str, Any]:
    """The expected.json that lets exactly these verdicts pass."""
    claims = {
        claim["id"]: {
            "verdict": claim["verdict"],
            "margin": _committed(claim.get("margin")),
            "separated": (claim.get("separation") or {}).get("separated"),
            "subjects": {subject["subject"]: subject.get("holds") for subject in claim["subjects"]},
        }
        for claim in verdicts["claims"]
    }
    return {"schema": verdict.SCHEMA, "claims": claims}


def _badness(change: Change) -> tuple[int, bool, float, str]:
    return KINDS.index(change.kind), change.was != "replicated", -change.drop, change.claim


def _of_claim(
    claim: dict[str, Any], want: dict[str, Any] | None, max_drop: float | None, separate: bool
) -> Iterator[Change]:
    name, word, margin = claim["id"], claim["verdict"], _committed(claim.get("margin"))
    if wrong := next(contradictions(claim), None):
        yield Change(name, "contradiction", "a sound record", word, detail=wrong)
    if want is None:
        yield Change(name, "new", "nothing", word, None, margin, f"{word}, and no verdict is expected yet")
        return
    was, margin_was = want["verdict"], _number(want.get("margin"))
    if word != was:
        unevaluated = word == "not evaluated"
        detail = _reason(claim) if unevaluated else ""
        yield Change(name, word if unevaluated else "verdict", was, word, margin_was, margin, detail)
    else:
        yield from _subjects(claim, want)
        found = claim.get("separation") or {}
        if separate and want.get("separated") and not found.get("separated"):
            nearest = f"{found['nearest']} comes as near as a trained model" if found else "nothing to compare with ran"
            yield Change(name, "separation", "separated", "not separated", detail=f"separation is lost: {nearest}")
        if max_drop is not None and margin_was is not None:
            if margin is None:
                yield Change(name, "margin", was, word, margin_was, None, "the margin is gone")
            elif margin_was - margin > max_drop:
                yield Change(name, "margin", was, word, margin_was, margin, f"still {word}, but the margin shrank")


def _subjects(claim: dict[str, Any], want: dict[str, Any]) -> Iterator[Change]:
    holds = {subject["subject"]: subject.get("holds") for subject in claim["subjects"]}
    for subject, was in want.get("subjects", {}).items():
        if subject not in holds:
            yield Change(claim["id"], "subject", _truth(was), "missing", detail=f"{subject} was not run")
        elif holds[subject] != was:
            detail = f"on {subject}: {_truth(was)} → {_truth(holds[subject])}"
            yield Change(claim["id"], "subject", _truth(was), _truth(holds[subject]), detail=detail)


def contradictions(claim: dict[str, Any]) -> Iterator[str]:
    """Places where the record of a claim cannot be true, as text: numbers, outcomes, margins and verdict are checked
    against each other, from the asserted numbers upwards."""
    subjects = []
    for subject in claim["subjects"]:
        asserts = subject.get("asserts") or []
        for made in asserts:
            if wrong := _unsound(made):
                yield f"on {subject['subject']}: {wrong}"
        if subject.get("holds") is True and any(made.get("passed") is False for made in asserts):
            yield f"on {subject['subject']}: it is recorded to hold, with a failing assert"
        least = verdict.least(_number(made.get("margin")) for made in asserts)
        if asserts and "margin" in subject and least != _number(subject["margin"]):
            yield f"on {subject['subject']}: the margin is {percent(least)}, recorded is {percent(subject['margin'])}"
        error = subject.get("error")
        subjects.append(verdict.Result(subject["subject"], subject["role"], subject.get("holds"), error=error))
    margin = verdict.least(_number(s.get("margin")) for s in claim["subjects"] if not verdict.must_fail(s["role"]))
    if "margin" in claim and margin != _number(claim["margin"]):
        yield f"its margin is {percent(margin)}, recorded is {percent(claim['margin'])}"
    word, _ = verdict.verdict(subjects)
    if word != claim["verdict"]:
        yield f"its subjects make it {word}, recorded is {claim['verdict']}"


def _unsound(made: dict[str, Any]) -> str | None:
    left, op, right, margin = made.get("left"), made.get("op"), made.get("right"), made.get("margin")
    if not is_number(left) or not is_number(right) or op not in _COMPARE:
        return None
    passed = _COMPARE[op](left, right)
    if passed != made.get("passed"):
        return f"{left} {op} {right} is recorded as {'passed' if made.get('passed') else 'failed'}"
    gap = abs(left - right) / max(abs(right), 1e-12)
    if is_number(margin) and not math.isclose(abs(margin), gap, rel_tol=1e-6, abs_tol=1e-9):
        return f"{left} {op} {right} has a margin of {percent(gap)}, recorded is {percent(margin)}"
    return None


def _reason(claim: dict[str, Any]) -> str:
    reasons = [
        str(s.get("reason") or s.get("error") or "") for s in claim["subjects"] if not verdict.must_fail(s["role"])
    ]
    why = next((reason for reason in reasons if reason), "")
    return f"not evaluated: {why}" if why else "not evaluated"


def _truth(holds: Any) -> str:
    return "holds" if holds is True else "fails" if holds is False else "not evaluated"


def _committed(margin: Any) -> float | None:
    """As it is committed: to four significant digits."""
    return float(f"{margin:.4g}") if is_number(margin) else None


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None
