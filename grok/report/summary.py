"""What CI shows of a gated run: JUnit XML, Markdown, annotations and a badge. Every text is escaped for its place."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from grok.verdicts.claim import Claim
from grok.verdicts.expected import Change
from grok.verdicts.number import percent, show
from grok.verdicts.record import Verdicts
from grok.verdicts.verdict import VERDICTS, judged

_WORST_FIRST = ("error", "not evaluated", "uncontrolled", "mixed", "refuted", "vacuous", "unspecific", "replicated")
COMMENT_LIMIT = 65_536  # characters of a pull-request comment; counted in bytes here, which is never less
SUMMARY_LIMIT = 1024 * 1024  # bytes of a job summary
ANNOTATIONS = 10  # errors GitHub shows of one step
_ICONS = {"replicated": "✅", "refuted": "❌", "mixed": "🟡", "vacuous": "⚪", "not evaluated": "❔"}
_ICONS |= {"unspecific": "🔵", "uncontrolled": "❔", "error": "💥"}
_COLOURS = {True: "brightgreen", False: "red"}
# what XML 1.0 has no way to write
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def measured(claim: Claim) -> str:
    """name = value of the evidence on the first trained (or the user's) subject."""
    return "; ".join(f"{e.name} = {show(e.value)}" for s in judged(claim.subjects)[:1] for e in s.evidence)


def headline(claims: Iterable[Claim]) -> str:
    """How many claims have which verdict: ``71 replicated, 6 refuted``."""
    counts = Counter(claim.verdict for claim in claims)
    return ", ".join(f"{counts[word]} {word}" for word in VERDICTS if counts[word]) or "no claims"


# ── JUnit ────────────────────────────────────────────────────────────────────────────────────────────────────────


def junit(verdicts: Verdicts, changes: Sequence[Change]) -> str:
    """JUnit XML: a test case for each claim, failed if the gate says no to it; claims that are gone are cases too.

    A claim that is an error is an error there too, not a failure.
    """
    reasons: dict[str, list[Change]] = {}
    for change in changes:
        reasons.setdefault(change.claim, []).append(change)
    claims = {claim.id: claim for claim in verdicts.claims}
    names = [*claims, *(name for name in reasons if name not in claims)]
    broken = {name for name, why in reasons.items() if any(change.kind == "error" for change in why)}
    counts = {"tests": len(names), "failures": len(reasons) - len(broken), "errors": len(broken), "skipped": 0}
    tally = {name: str(count) for name, count in counts.items()}
    suites = ET.Element("testsuites", tally)
    suite = ET.SubElement(suites, "testsuite", {"name": "grok claims", **tally})
    for name in names:
        claim = claims.get(name)
        family = claim.fixture if claim and claim.fixture else "claims"
        case = ET.SubElement(suite, "testcase", {"classname": _xml(family), "name": _xml(name)})
        properties = ET.SubElement(case, "properties")
        for key, value in _properties(claim) if claim else [("claim", name), ("verdict", "missing")]:
            ET.SubElement(properties, "property", {"name": key, "value": _xml(value)})
        if name in reasons:
            kind = "error" if name in broken else "failure"
            failure = ET.SubElement(case, kind, {"message": _xml(reasons[name][0])})
            failure.text = _xml("\n".join(map(str, reasons[name])))
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _properties(claim: Claim) -> Iterable[tuple[str, str]]:
    yield "claim", claim.id
    yield "title", claim.title
    yield "verdict", claim.verdict
    yield "expected", show(claim.expected)
    yield "measured", measured(claim)
    yield "published", show(claim.published)
    yield "margin", show(claim.margin)


def _xml(value: Any) -> str:
    return _NOT_XML.sub("\ufffd", str(value))


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────────────────


def markdown(verdicts: Verdicts, changes: Sequence[Change], limit: int = SUMMARY_LIMIT) -> str:
    """The run as Markdown of at most ``limit`` bytes of UTF-8, worst first; what is left out is counted."""
    head = f"### {'❌' if changes else '✅'} Claims: {escaped(headline(verdicts.claims))}\n"
    head += (
        f"\n**{len(changes)} reason{'s' if len(changes) != 1 else ''} to say no:**\n\n"
        if changes
        else "\nAs expected.\n"
    )
    worst = [
        f"- **{escaped(change.claim)}** {escaped(str(change)[len(change.claim) + 1 :].strip())}\n" for change in changes
    ]
    table = [
        "\n| | claim | | measured | published | margin |\n|---|---|---|---|---|---|\n",
        *map(_row, _ordered(verdicts.claims)),
    ]
    return _fitted(head, worst + table, limit)


def _ordered(claims: Iterable[Claim]) -> list[Claim]:
    """Surprises, then by verdict from bad to good, in the order of the file."""
    return sorted(claims, key=lambda c: (not c.moved, _WORST_FIRST.index(c.verdict)))


def _row(claim: Claim) -> str:
    cells = [
        f"{_ICONS[claim.verdict]} {claim.verdict}",
        f"**{escaped(claim.id)}**",
        escaped(claim.title),
        escaped(measured(claim)),
        escaped(show(claim.published)),
        percent(claim.margin),
    ]
    return f"| {' | '.join(cells)} |\n"


def escaped(text: str) -> str:
    """Text that Markdown and GitHub leave alone: no markup, cell border, mention or reference."""
    text = " ".join(text.split())
    text = re.sub(r"[&<>|`*_~\[\]\\$]", lambda match: f"&#{ord(match[0])};", text)
    return re.sub(r"([@#])(?!\d+;)|(://)", lambda match: f"{match[0]}\u200b", text)


def _fitted(head: str, lines: Sequence[str], limit: int) -> str:
    room = limit - len(head.encode()) - 40
    kept = 0
    for line in lines:
        room -= len(line.encode())
        if room < 0:
            break
        kept += 1
    left = len(lines) - kept
    return head + "".join(lines[:kept]) + (f"\n… and {left} lines more.\n" if left else "")


# ── annotations, badge ───────────────────────────────────────────────────────────────────────────────────────────


def error_lines(verdicts: Verdicts, changes: Sequence[Change]) -> list[str]:
    """``::error`` workflow commands at the claims' lines, worst first, as many as GitHub shows."""
    claims = {claim.id: claim for claim in verdicts.claims}
    commands = []
    for i, change in enumerate(changes[:ANNOTATIONS]):
        claim = claims.get(change.claim)
        place = {"file": claim.file, "line": claim.line} if claim else {}
        where = {**place, "title": f"claim {change.claim}"}
        properties = ",".join(f"{key}={_property(str(value))}" for key, value in where.items() if value is not None)
        more = len(changes) - ANNOTATIONS
        rest = f" ({more} more in the summary)" if i == ANNOTATIONS - 1 and more > 0 else ""
        commands.append(f"::error {properties}::{_data(str(change) + rest)}")
    return commands


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def badge(verdicts: Verdicts, changes: Sequence[Change]) -> dict[str, Any]:
    """For shields.io's endpoint badge."""
    replicated = sum(claim.verdict == "replicated" for claim in verdicts.claims)
    message = f"{replicated} of {len(verdicts.claims)} replicated"
    if changes:
        message += f", {len({change.claim for change in changes})} unexpected"
    return {
        "schemaVersion": 1,
        "label": "claims",
        "message": message,
        "color": _COLOURS[not changes],
        "isError": bool(changes),
    }
