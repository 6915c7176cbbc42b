"""What CI shows of a gated run: JUnit XML, Markdown, annotations and a badge. Every text is escaped for its place."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from grok.report.gate import Change
from grok.verdicts.number import percent, show
from grok.verdicts.verdict import VERDICTS, must_fail

_WORST_FIRST = ("not evaluated", "uncontrolled", "mixed", "refuted", "vacuous", "unspecific", "replicated")
COMMENT_LIMIT = 65_536  # characters of a pull-request comment; counted in bytes here, which is never less
SUMMARY_LIMIT = 1024 * 1024  # bytes of a job summary
ANNOTATIONS = 10  # errors GitHub shows of one step
_ICONS = {"replicated": "✅", "refuted": "❌", "mixed": "🟡", "vacuous": "⚪", "not evaluated": "❔"}
_ICONS |= {"unspecific": "🔵", "uncontrolled": "❔"}
_COLOURS = {True: "brightgreen", False: "red"}
# what XML 1.0 has no way to write
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def measured(claim: dict[str, Any]) -> str:
    """name = value of the evidence on the first trained (or the user's) subject."""
    subject: dict[str, Any] = next((s for s in claim["subjects"] if not must_fail(s["role"])), {})
    return "; ".join(f"{e.get('name')} = {show(e.get('value'))}" for e in subject.get("evidence") or [])


def headline(verdicts: dict[str, Any]) -> str:
    """How many claims have which verdict: ``71 replicated, 6 refuted``."""
    counts = Counter(claim["verdict"] for claim in verdicts["claims"])
    words = sorted(counts, key=lambda w: (VERDICTS.index(w) if w in VERDICTS else len(VERDICTS), w))
    return ", ".join(f"{counts[word]} {word}" for word in words) or "no claims"


# ── JUnit ────────────────────────────────────────────────────────────────────────────────────────────────────────


def junit(verdicts: dict[str, Any], changes: Sequence[Change]) -> str:
    """JUnit XML: a test case for each claim, failed if the gate says no to it; claims that are gone are cases too."""
    reasons: dict[str, list[Change]] = {}
    for change in changes:
        reasons.setdefault(change.claim, []).append(change)
    claims = {claim["id"]: claim for claim in verdicts["claims"]}
    names = [*claims, *(name for name in reasons if name not in claims)]
    tally = {"tests": str(len(names)), "failures": str(len(reasons)), "errors": "0", "skipped": "0"}
    suites = ET.Element("testsuites", tally)
    suite = ET.SubElement(suites, "testsuite", {"name": "grok claims", **tally})
    for name in names:
        claim = claims.get(name, {"id": name, "subjects": [], "verdict": "missing"})
        case = ET.SubElement(
            suite, "testcase", {"classname": _xml(claim.get("fixture") or "claims"), "name": _xml(name)}
        )
        properties = ET.SubElement(case, "properties")
        for key, value in _properties(claim):
            ET.SubElement(properties, "property", {"name": key, "value": _xml(value)})
        if name in reasons:
            failure = ET.SubElement(case, "failure", {"message": _xml(reasons[name][0])})
            failure.text = _xml("\n".join(map(str, reasons[name])))
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _properties(claim: dict[str, Any]) -> Iterable[tuple[str, str]]:
    yield "claim", claim["id"]
    yield "title", str(claim.get("title", ""))
    yield "verdict", claim["verdict"]
    yield "expected", show(claim.get("expected"))
    yield "measured", measured(claim)
    yield "published", show(claim.get("published"))
    yield "margin", show(claim.get("margin"))


def _xml(value: Any) -> str:
    return _NOT_XML.sub("\ufffd", str(value))


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────────────────


def markdown(verdicts: dict[str, Any], changes: Sequence[Change], limit: int = SUMMARY_LIMIT) -> str:
    """The run as Markdown of at most ``limit`` bytes of UTF-8, worst first; what is left out is counted."""
    head = f"### {'❌' if changes else '✅'} Claims: {escaped(headline(verdicts))}\n"
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
        *map(_row, _ordered(verdicts)),
    ]
    return _fitted(head, worst + table, limit)


def _ordered(verdicts: dict[str, Any]) -> list[dict[str, Any]]:
    """Surprises, then by verdict from bad to good, in the order of the file."""
    rank = {word: i for i, word in enumerate(_WORST_FIRST)}
    return sorted(verdicts["claims"], key=lambda c: (c.get("expected") == c["verdict"], rank.get(c["verdict"], -1)))


def _row(claim: dict[str, Any]) -> str:
    word = claim["verdict"]
    cells = [
        f"{_ICONS.get(word, '❔')} {escaped(word)}",
        f"**{escaped(claim['id'])}**",
        escaped(claim["title"]),
        escaped(measured(claim)),
        escaped(show(claim.get("published"))),
        percent(claim.get("margin")),
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


def error_lines(verdicts: dict[str, Any], changes: Sequence[Change]) -> list[str]:
    """``::error`` workflow commands at the claims' lines, worst first, as many as GitHub shows."""
    claims = {claim["id"]: claim for claim in verdicts["claims"]}
    commands = []
    for i, change in enumerate(changes[:ANNOTATIONS]):
        claim = claims.get(change.claim, {})
        where = {"file": claim.get("file"), "line": claim.get("line"), "title": f"claim {change.claim}"}
        properties = ",".join(f"{key}={_property(str(value))}" for key, value in where.items() if value is not None)
        more = len(changes) - ANNOTATIONS
        rest = f" ({more} more in the summary)" if i == ANNOTATIONS - 1 and more > 0 else ""
        commands.append(f"::error {properties}::{_data(str(change) + rest)}")
    return commands


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def badge(verdicts: dict[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """For shields.io's endpoint badge."""
    replicated = sum(claim["verdict"] == "replicated" for claim in verdicts["claims"])
    message = f"{replicated} of {len(verdicts['claims'])} replicated"
    if changes:
        message += f", {len({change.claim for change in changes})} unexpected"
    return {
        "schemaVersion": 1,
        "label": "claims",
        "message": message,
        "color": _COLOURS[not changes],
        "isError": bool(changes),
    }
