"""The table at the end of a session: a row for each claim, with the deciding numbers, as wide as the terminal."""

from __future__ import annotations

import math
import shutil
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

from grok.verdicts.claim import Claim
from grok.verdicts.number import fitted, percent
from grok.verdicts.verdict import VERDICTS, Assertion, Result, judged

COLOURS = {"replicated": "green", "refuted": "red", "mixed": "yellow", "vacuous": "yellow", "not evaluated": "purple"}
COLOURS |= {"unspecific": "yellow", "uncontrolled": "purple", "error": "red"}
Line = list[tuple[str, dict[str, bool]]]  # pieces of text, each with its markup

MEASURED, PUBLISHED, MARGIN, VERDICT, INTERVAL = 8, 9, 10, 14, 8
MAX_WIDTH = 120


def table(claims: list[Claim], width: int) -> Iterator[Line]:
    """The lines, at most ``width`` columns wide."""
    names = max(5, *(_wide(_name(claim)) for claim in claims))
    width = max(60, min(width, MAX_WIDTH) - 1)
    verdicts = max(VERDICT, *(len(short(claim)) for claim in claims))
    several = any(claim.n > 1 for claim in claims) and width >= 69
    numbers = {"measured": MEASURED, "control": MEASURED, "rival": MEASURED, "published": PUBLISHED, "margin": MARGIN}
    if width < 99:
        numbers = {name: numbers[name] for name in ("measured", "control", "published")}
    if any(claim.beside for claim in claims):  # after the measured value
        numbers = {"measured": MEASURED, "shipped": MEASURED, **numbers}
    taken = names + sum(numbers.values()) + len(numbers) + verdicts + several * (INTERVAL + 1) + 2
    sentence = max(12, width - taken)

    def row(name: str, title: str, cells: dict[str, str]) -> str:
        left = f"{_fit(name, names)} {_fit(title, sentence)}"
        return " ".join([left, *(_right(cells[column], size) for column, size in numbers.items()), ""])

    def share(text: str, word: str) -> str:
        return " " * (verdicts - len(word) + 1) + _right(text, INTERVAL) if several else ""

    heading = row("claim", "sentence", {name: name for name in numbers})
    yield [(heading + "verdict" + share("95 %", "verdict"), {"bold": True})]
    families = {_family(claim) for claim in claims}
    shown = None
    told: set[str] = set()  # a damaged fixture breaks many claims, and its error is shown once
    for claim in claims:
        if len(families) > 1 and _family(claim) != shown:
            shown = _family(claim)
            yield [(_fit(shown, width).rstrip(), {"bold": True})]
        cells = row(_name(claim), claim.title, figures(claim) | {"margin": percent(claim.margin)})
        word = short(claim)
        yield [(cells, {}), (word, {COLOURS[claim.verdict]: True}), (share(interval(claim), word), {})]
        if claim.reason and claim.reason not in told:
            told |= {claim.reason} if claim.verdict == "error" else set()
            yield from (
                [(" " * (names + 1) + part, {"light": True})] for part in _wrap(claim.reason, width - names - 1)
            )
    yield []
    yield [(summary(claims), {"bold": True})]


def _name(claim: Claim) -> str:
    """The id, without the family that the line above names."""
    return claim.id.removesuffix(f" · {claim.fixture}")


def _family(claim: Claim) -> str:
    return " · ".join(name for name in (claim.fixture, claim.source_title) if name)


def summary(claims: list[Claim]) -> str:
    """``15 claims: 12 replicated, 1 refuted, 2 vacuous``."""
    found = Counter(claim.verdict for claim in claims)
    counts = ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])
    return f"{len(claims)} claim{'s' * (len(claims) != 1)}: {counts}"


def short(claim: Claim) -> str:
    """The verdict, with k of n models if there are several or if it holds on one."""
    told = claim.verdict in ("replicated", "mixed") or (claim.n > 1 and claim.verdict not in ("not evaluated", "error"))
    return f"{claim.verdict} {claim.k}/{claim.n}" if told else claim.verdict


def interval(claim: Claim) -> str:
    """The 95 % interval (Wilson) of the share of models on which the claim holds, in per cent."""
    return "–" if claim.wilson is None else "{:.0f}–{:.0f} %".format(*(100 * end for end in claim.wilson))


def figures(claim: Claim) -> dict[str, str]:
    """The deciding measured value (nearest its threshold, or farthest on its wrong side), and the published value.

    The values of the control and of the rival that come nearest to passing the same assert are added. They are – if
    none reached the assert.
    """
    subject = min(judged(claim.subjects), key=lambda s: _room(s.margin), default=None)
    made = [a for a in subject.asserts if a.left is not None] if subject else []
    decides = min(made, key=lambda a: _room(a.margin)) if made else None
    over = next((a for a in claim.asserted if decides and a.expression == decides.expression), None)
    control, rival = (over.control, over.rival) if over else (None, None)
    measured, shipped, published = _measured(claim, subject, decides)
    nearest = {"control": number(control and control.value), "rival": number(rival and rival.value)}
    return {"measured": measured, "shipped": shipped, "published": published, **nearest}


def _measured(claim: Claim, subject: Result | None, decides: Assertion | None) -> tuple[str, str, str]:
    """The measured value, that of the shipped network beside it, and the published one, all of the same quantity."""
    if subject is None:
        return number(None), number(None), number(claim.published)
    beside, deciding = claim.beside or Result("none", "reference", None), decides.left if decides else None
    scalars = [e for e in subject.evidence if isinstance(e.value, (int, float, str))]
    named = next((e for e in scalars if _same(e.value, deciding)), None)
    named = named or next((e for e in scalars if e.published is not None), None)
    if named is None:
        measured = deciding if deciding is not None or not scalars else scalars[0].value
        shipped = next((a.left for a in beside.asserts if decides and a.expression == decides.expression), None)
        return number(measured), number(shipped), number(claim.published)
    shipped = next((e.value for e in beside.evidence if e.name == named.name), None)
    return number(named.value), number(shipped), number(claim.published if named.published is None else named.published)


def _room(margin: float | None) -> float:
    return math.inf if margin is None else margin


def _same(value: Any, other: Any) -> bool:
    numbers = all(isinstance(x, (int, float)) for x in (value, other))
    return numbers and abs(value - other) <= 1e-9 * max(abs(value), abs(other))


def number(value: Any) -> str:
    """A figure in a column; – for none."""
    return fitted(value, MEASURED)


def _wide(text: str) -> int:
    """The number of columns on a terminal: none for combining marks, two for wide characters."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _fit(text: str, size: int) -> str:
    """The text on one line, cut or padded to ``size`` columns."""
    text = _printable(text)
    if _wide(text) > size:
        while _wide(text) > size - 1:
            text = text[:-1]
        text = text.rstrip() + "…"
    return text + " " * (size - _wide(text))


def _right(text: str, size: int) -> str:
    fitted = _fit(text, size)
    kept = fitted.rstrip(" ")
    return " " * (_wide(fitted) - _wide(kept)) + kept


def _printable(text: str) -> str:
    """The text without the control characters that would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() else " " for c in text)


def _wrap(text: str, size: int, lines: int | None = 2) -> list[str]:
    return textwrap.wrap(_printable(text), size, max_lines=lines, placeholder=" …")


def paragraph(text: str, width: int) -> list[str]:
    """The lines of a note under the table."""
    return _wrap(text, min(width, MAX_WIDTH) - 1, lines=None)


def columns() -> int:
    return shutil.get_terminal_size((80, 24)).columns
