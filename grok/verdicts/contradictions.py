"""Finds contradictions in the record of a claim."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator

from grok.verdicts.claim import Claim
from grok.verdicts.number import percent
from grok.verdicts.verdict import Assertion, judged, least, verdict

_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def contradictions(claim: Claim) -> Iterator[str]:
    """Each contradiction as a line of text.

    The asserted numbers are taken as true. Outcomes are compared with them, then margins, then the verdict.
    """
    for subject in claim.subjects:
        here = f"on {subject.subject}"
        for made in subject.asserts:
            if wrong := _unsound(made):
                yield f"{here}: {wrong}"
        if subject.holds is True and not all(made.passed for made in subject.asserts):
            yield f"{here}: it is recorded to hold, with a failing assert"
        margin = least(made.margin for made in subject.asserts)
        if subject.asserts and margin != subject.margin:
            yield f"{here}: the margin is {percent(margin)}, recorded is {percent(subject.margin)}"
    margin = least(s.margin for s in judged(claim.subjects))
    if margin != claim.margin:
        yield f"its margin is {percent(margin)}, recorded is {percent(claim.margin)}"
    word, _ = verdict(claim.subjects)
    if word != claim.verdict:
        yield f"its subjects make it {word}, recorded is {claim.verdict}"


def _unsound(made: Assertion) -> str | None:
    left, right = made.left, made.right
    if left is None or right is None or made.op not in _COMPARE:
        return None
    if _COMPARE[made.op](left, right) != made.passed:
        return f"{left} {made.op} {right} is recorded as {'passed' if made.passed else 'failed'}"
    gap = abs(left - right) / max(abs(right), 1e-12)
    if made.margin is not None and not math.isclose(abs(made.margin), gap, rel_tol=1e-6, abs_tol=1e-9):
        return f"{left} {made.op} {right} has a margin of {percent(gap)}, recorded is {percent(made.margin)}"
    return None
