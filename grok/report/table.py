"""All claims as a Markdown table, to be committed beside the code: what was published, what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grok.report.summary import escaped, headline, measured
from grok.verdicts.number import percent, show
from grok.verdicts.verdict import kind, must_fail

HEADINGS = (
    "id",
    "claim",
    "source",
    "threshold",
    "published",
    "measured",
    "controls and rivals",
    "nearest of them",
    "margin",
    "verdict",
)


def markdown(verdicts: dict[str, Any]) -> str:
    """A section for each fixture family, a row for each claim; nothing in it depends on when the run was made."""
    return "\n".join(_lines(verdicts)) + "\n"


def _lines(verdicts: dict[str, Any]) -> Iterator[str]:
    yield "# Every claim and its verdict"
    yield ""
    yield f"{headline(verdicts).capitalize()}."
    yield "Made by `grok report verdicts.json --out docs/claims.md`; not edited by hand."
    for family in dict.fromkeys(claim.get("fixture") for claim in verdicts["claims"]):
        yield from ("", f"## {escaped(str(family or 'no fixture'))}", "")
        yield f"| {' | '.join(HEADINGS)} |"
        yield "|---" * len(HEADINGS) + "|"
        yield from (_row(claim) for claim in verdicts["claims"] if claim.get("fixture") == family)


def _row(claim: dict[str, Any]) -> str:
    cells = [claim["id"], claim["title"], claim.get("source") or "", _threshold(claim), show(claim.get("published"))]
    cells += [measured(claim), _controls(claim), _nearest(claim), percent(claim.get("margin"))]
    text = [*(escaped(str(cell)) for cell in cells), f"**{escaped(claim['verdict'])}**"]
    return f"| {' | '.join(text)} |"


def _controls(claim: dict[str, Any]) -> str:
    """What the claim did on controls and rivals, by kind: ``fails on 10 untrained, memorised: 2 of 3 hold``."""
    kinds: dict[str, list[Any]] = {}
    for subject in claim["subjects"]:
        if must_fail(subject["role"]):
            kinds.setdefault(kind(subject["subject"]), []).append(subject.get("holds"))
    return (
        "; ".join(f"{name}: {_did(outcomes)}" for name, outcomes in kinds.items()) or claim.get("no_control") or "none"
    )


def _did(outcomes: list[Any]) -> str:
    holding, unknown, n = outcomes.count(True), outcomes.count(None), len(outcomes)
    if n == 1:
        return "holds" if holding else "not evaluated" if unknown else "fails"
    told = f"holds on {holding} of {n}" if holding else "" if unknown == n else f"fails on {n - unknown}"
    return ", ".join(filter(None, [told, f"{unknown} not evaluated" if unknown else ""]))


def _threshold(claim: dict[str, Any]) -> str:
    return f"{claim['threshold']}: {claim['because']}" if claim.get("threshold") else ""


def _nearest(claim: dict[str, Any]) -> str:
    """The control or rival that comes nearest, and how far behind it is."""
    found = claim.get("separation")
    if not found:
        return ""
    if found["gap"] is None:
        gap = "fails before any number"
    else:
        gap = f"{percent(abs(found['gap'])).lstrip('+')} {'behind' if found['gap'] > 0 else 'ahead'}"
    return f"{kind(found['nearest'])} {gap}{'' if found['threshold_inside'] else ', threshold outside'}"
