"""All claims as a Markdown table, to be committed beside the code: what was published, what was measured."""

from __future__ import annotations

from collections.abc import Iterator

from grok.report.summary import escaped, headline, measured
from grok.verdicts.claim import Claim
from grok.verdicts.number import percent, show
from grok.verdicts.record import Verdicts
from grok.verdicts.verdict import kind, others

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


def markdown(verdicts: Verdicts) -> str:
    """A section for each fixture family, a row for each claim; nothing in it depends on when the run was made."""
    return "\n".join(_lines(verdicts)) + "\n"


def _lines(verdicts: Verdicts) -> Iterator[str]:
    yield "# Every claim and its verdict"
    yield ""
    yield f"{headline(verdicts.claims).capitalize()}."
    yield "Made by `grok report verdicts.json --out docs/claims.md`; not edited by hand."
    for family in dict.fromkeys(claim.fixture for claim in verdicts.claims):
        yield from ("", f"## {escaped(family or 'no fixture')}", "")
        yield f"| {' | '.join(HEADINGS)} |"
        yield "|---" * len(HEADINGS) + "|"
        yield from (_row(claim) for claim in verdicts.claims if claim.fixture == family)


def _row(claim: Claim) -> str:
    cells = [claim.id, claim.title, claim.source or "", _threshold(claim), show(claim.published)]
    cells += [measured(claim), _controls(claim), _nearest(claim), percent(claim.margin)]
    text = [*map(escaped, cells), f"**{claim.verdict}**"]
    return f"| {' | '.join(text)} |"


def _controls(claim: Claim) -> str:
    """What the claim did on controls and rivals, by kind: ``fails on 10 untrained, memorised: 2 of 3 hold``."""
    kinds: dict[str, list[bool | str | None]] = {}
    for subject in others(claim.subjects):
        kinds.setdefault(kind(subject.subject), []).append("error" if subject.error else subject.holds)
    return "; ".join(f"{name}: {_did(outcomes)}" for name, outcomes in kinds.items()) or claim.no_control or "none"


def _did(outcomes: list[bool | str | None]) -> str:
    n = len(outcomes)
    holding, failing, unknown, broken = (outcomes.count(outcome) for outcome in (True, False, None, "error"))
    if n == 1:
        return {True: "holds", False: "fails", None: "not evaluated", "error": "error"}[outcomes[0]]
    told = f"holds on {holding} of {n}" if holding else f"fails on {failing}" if failing else ""
    parts = [told, f"{unknown} not evaluated" if unknown else "", f"error on {broken}" if broken else ""]
    return ", ".join(filter(None, parts))


def _threshold(claim: Claim) -> str:
    return f"{claim.threshold}: {claim.because}" if claim.threshold else ""


def _nearest(claim: Claim) -> str:
    """The control or rival that comes nearest, and how far behind it is."""
    found = claim.separation
    if found is None:
        return ""
    if found.gap is None:
        gap = "fails before any number"
    else:
        gap = f"{percent(abs(found.gap)).lstrip('+')} {'behind' if found.gap > 0 else 'ahead'}"
    return f"{kind(found.nearest)} {gap}{'' if found.threshold_inside else ', threshold outside'}"
