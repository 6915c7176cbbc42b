"""One claim on one subject: what the test did, and what this means for the claim."""

from __future__ import annotations

import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from grok.errors import GrokError, NotEvaluable
from grok.suite.evidence import VALUE_DIGITS, Recorder, plain
from grok.suite.meta import Info, Source
from grok.verdicts import expected
from grok.verdicts.claim import Statement
from grok.verdicts.expected import Entry
from grok.verdicts.verdict import Result, must_fail


def judge(raised: BaseException | None, recorder: Recorder, file: Path) -> dict[str, Any]:
    """``holds``, ``reason`` and ``error`` of a test that ended in this way.

    file: the file of the claim. An assert that failed elsewhere is an error, and so is any exception but NotEvaluable.
    """
    holds: bool | None = None
    reason = error = None
    where, line = _where(raised)
    name, own = _where(raised, file)
    match raised:
        case None if recorder.asserts:
            holds = True
        case None:
            error = "it asserts nothing: a claim needs an assert in the test function itself"
        case AssertionError() if where == str(file):
            holds, reason = False, _first_line(raised)
        case AssertionError():
            error = f"an assert outside the claim's file failed: {where}, line {line}"
        case NotEvaluable() | pytest.skip.Exception():
            reason = str(raised)
        case GrokError():
            error = str(raised)
        case _:
            error = f"{type(raised).__name__}: {_first_line(raised)} ({Path(name).name}, line {own})"
    return {"holds": holds, "reason": reason, "error": error}


def _where(raised: BaseException | None, file: Path | None = None) -> tuple[str, int | None]:
    """File and line of the innermost frame; of the innermost in ``file``, if one is there."""
    frames = list(traceback.extract_tb(raised.__traceback__)) if raised else []
    frames = [frame for frame in frames if frame.filename == str(file)] or frames
    return (frames[-1].filename, frames[-1].lineno) if frames else ("?", None)


def _first_line(raised: BaseException | None) -> str | None:
    return str(raised).splitlines()[0] if str(raised) else None


def surprise(name: str, result: Result, committed: Entry | None, free: bool, file: str) -> str | None:
    """The reason why this result fails its test; None if it passes.

    name: the claim's id. committed: its entry. free: nothing is expected (a user's checkpoint, or the expectation is
    being rewritten), so every result without an error passes.
    """
    here = f"{name} on {result.subject}"
    if result.error is not None:
        return f"{here}: an error, not a verdict\n  {result.error}"
    if free or expected.outcome(result, committed):
        return None
    if committed is not None:
        wanted = f"expected: {_WORD[committed.subjects[result.subject]]}"
    else:
        wanted = f"it must not on a {result.role}" if must_fail(result.role) else "it must hold on a model"
    reason = f" ({result.reason})" if result.holds is None else ""
    failed = [a for a in result.asserts if not a.passed] or result.asserts
    numbers = f"\n  {failed[-1].shown}" if failed else ""
    return f"{here}: {_WORD[result.holds]}{reason}; {wanted}{numbers}\n  {file}"


_WORD = {True: "holds", False: "does not hold", None: "not evaluated"}


def describe(
    name: str, claim: Info, source: Source | None, family: str | None, nodeid: str, file: str, line: int, command: str
) -> dict[str, Any]:
    """The part of a claim's entry in verdicts.json, for one recipe, that does not depend on its results."""
    said = Statement(
        id=name,
        title=claim.title,
        text=claim.text,
        source=source.key if source else None,
        source_title=source.title if source else None,
        ref=source.ref if source else None,
        url=source.url if source else None,
        section=claim.section,
        fixture=family,
        published=plain(claim.published_on(family), VALUE_DIGITS, f"published figure of {claim.id}"),
        about=claim.about,
        threshold=claim.threshold,
        because=claim.because,
        no_control=claim.no_control,
        expression=claim.expressions,
        file=file,
        line=line,
        nodeid=nodeid,
        command=command,
    )
    return asdict(said)
