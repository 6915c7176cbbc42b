"""All claims as a Markdown table, to be committed beside the code: what was published, what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grok.report.summary import escaped, headline, measured
from grok.verdicts.number import percent, show


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
        yield "| id | claim | source | published | measured | margin | controls | verdict |"
        yield "|---|---|---|---|---|---|---|---|"
        yield from (_row(claim) for claim in verdicts["claims"] if claim.get("fixture") == family)


def _row(claim: dict[str, Any]) -> str:
    cells = (claim["id"], claim["title"], claim.get("source") or "", show(claim.get("published")), measured(claim))
    text = [escaped(str(cell)) for cell in cells]
    text += [percent(claim.get("margin")), escaped(_controls(claim)), f"**{escaped(claim['verdict'])}**"]
    return f"| {' | '.join(text)} |"


def _controls(claim: dict[str, Any]) -> str:
    """What the claim did on each control: ``fails on untrained, memorised``."""
    controls = [subject for subject in claim["subjects"] if subject["role"] == "control"]
    holding = [_short(subject) for subject in controls if subject.get("holds") is True]
    if not controls:
        return "none"
    return f"holds on {', '.join(holding)}" if holding else f"fails on {', '.join(map(_short, controls))}"


def _short(subject: dict[str, Any]) -> str:
    return subject["subject"].rsplit("/", 1)[-1]
