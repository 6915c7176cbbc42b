"""The table at the end of a session: for each claim its sentence and the numbers that decide, as wide as the terminal.

A sentence is never cut. Where there is no room beside the numbers, it stands on lines of its own above them.
"""

from __future__ import annotations

import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

from grok.verdicts.assertion import SIGNS
from grok.verdicts.claim import Claim
from grok.verdicts.number import fitted, is_number, percent
from grok.verdicts.verdict import VERDICTS, Assertion, Result, deciding, judged

COLOURS = {"replicated": "green", "refuted": "red", "mixed": "yellow", "vacuous": "yellow", "not evaluated": "purple"}
COLOURS |= {"unspecific": "yellow", "uncontrolled": "purple", "error": "red"}
Line = list[tuple[str, dict[str, bool]]]  # pieces of text, each with its markup

# Columns of numbers and their sizes, the least needed last: what does not fit is left out. ``shipped``, the value of
# the published network, is there only beside a user's own model.
NUMBERS = {"measured": 8, "shipped": 8, "threshold": 10, "control": 8, "rival": 8, "published": 9, "margin": 10}
VERDICT, INTERVAL = 14, 8
SENTENCE = 36  # columns that a sentence needs at least to stand beside its numbers
INDENT = 6
MAX_NAME, MAX_WIDTH = 24, 140


def table(claims: list[Claim], width: int) -> Iterator[Line]:
    """The lines, at most ``width`` columns wide."""
    width = max(60, min(width, MAX_WIDTH) - 1)
    names = min(MAX_NAME, max(5, *(_wide(claim.name) for claim in claims)))
    verdicts = max(VERDICT, *(len(short(claim)) for claim in claims))
    several = any(claim.n > 1 for claim in claims)
    ends = verdicts + several * (INTERVAL + 1)
    sizes = {name: size for name, size in NUMBERS.items() if name != "shipped" or any(c.beside for c in claims)}
    beside = width - names - 1 - sum(size + 1 for size in sizes.values()) - ends
    inline = beside - 1 >= SENTENCE
    room, left = (beside - 1, names + 1) if inline else (width - names - 1, INDENT)
    columns = sizes if inline else _that_fit(sizes, width - INDENT - ends)

    def numbers(cells: dict[str, str]) -> str:
        return "".join(_right(cells[name], size) + " " for name, size in columns.items())

    def share(text: str, word: str) -> str:
        return " " * (verdicts - len(word) + 1) + _right(text, INTERVAL) if several else ""

    def row(name: str, title: str, cells: dict[str, str], verdict: Line) -> Iterator[Line]:
        parts = _wrap(title, room) or [""]
        rest: list[Line] = [[(" " * (names + 1) + part, {})] for part in parts[1:]]
        first = f"{_fit(name, names)} {parts[0]}"
        if inline:
            yield [(f"{_fit(first, left + room)} {numbers(cells)}", {}), *verdict]
            yield from rest
        else:
            yield [(first, {})]
            yield from rest
            yield [(" " * left + numbers(cells), {}), *verdict]

    heading: Line = [("verdict" + share("95 %", "verdict"), {})]
    for line in row("claim", "sentence", {name: name for name in NUMBERS}, heading):
        yield [("".join(text for text, _ in line), {"bold": True})]
    families = {_family(claim) for claim in claims}
    shown = None
    told: set[str] = set()  # a damaged fixture breaks many claims, and its error is shown once
    for claim in claims:
        if len(families) > 1 and _family(claim) != shown:
            shown = _family(claim)
            yield from ([(part, {"bold": True})] for part in _wrap(shown, width))
        word = short(claim)
        yield from row(
            claim.name,
            claim.title,
            figures(claim),
            [(word, {COLOURS[claim.verdict]: True}), (share(interval(claim), word), {})],
        )
        if claim.reason and claim.reason not in told:
            told |= {claim.reason} if claim.verdict == "error" else set()
            yield from ([(" " * left + part, {"light": True})] for part in _wrap(claim.reason, width - left))
    yield []
    yield [(summary(claims), {"bold": True})]


def _that_fit(sizes: dict[str, int], width: int) -> dict[str, int]:
    """The first of the columns of numbers, as many as fit."""
    found: dict[str, int] = {}
    for name, size in sizes.items():
        if sum(found.values()) + len(found) + size + 1 > width:
            break
        found[name] = size
    return found


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
    """Of the assert that decides: the measured value, threshold, margin, and the published value of the same quantity.

    The values of the control and of the rival that come nearest to passing the same assert are added. They are – if
    none reached the assert. A published text is – too: it stands on the page.
    """
    subject, decides = deciding(judged(claim.subjects))
    if subject is None or decides is None:
        return dict.fromkeys(NUMBERS, number(None))
    over = next((a for a in claim.asserted if a.expression == decides.expression), None)
    control, rival = (over.control, over.rival) if over else (None, None)
    shipped = claim.beside.asserts if claim.beside else ()
    return {
        "measured": number(decides.left),
        "shipped": number(next((a.left for a in shipped if a.expression == decides.expression), None)),
        "threshold": f"{SIGNS.get(str(decides.op), decides.op)} {number(decides.right)}",
        "control": number(control and control.value),
        "rival": number(rival and rival.value),
        "published": number(_published(claim, subject, decides)),
        "margin": percent(decides.margin),
    }


def _published(claim: Claim, subject: Result, decides: Assertion) -> float | None:
    """The published number of the quantity that decides; that of the claim, if it asserts of one quantity only.

    The quantity is the evidence that the assert names. One without a name, as the least of a table, is told by its
    value.
    """
    named = [e for e in subject.evidence if e.name == decides.name and is_number(e.value)]
    same = [e for e in named or subject.evidence if _same(e.value, decides.left)]
    numbers = {e.published for e in same if is_number(e.published)}
    if len(numbers) == 1:
        return numbers.pop()
    alone = len({a.left for a in subject.asserts}) == 1 and not any(e.published is not None for e in subject.evidence)
    return claim.published if alone and is_number(claim.published) else None


def _same(value: Any, other: Any) -> bool:
    return is_number(value) and is_number(other) and abs(value - other) <= 1e-9 * max(abs(value), abs(other))


def number(value: Any) -> str:
    """A figure in a column; – for none."""
    return fitted(value, NUMBERS["measured"])


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


def _wrap(text: str, size: int) -> list[str]:
    """The text in lines of at most ``size`` columns, between words; a word that is wider is broken."""
    lines = [""]
    for word in _printable(text).split():
        if lines[-1] and _wide(lines[-1]) + 1 + _wide(word) <= size:
            lines[-1] += f" {word}"
            continue
        lines += [""] if lines[-1] else []
        for character in word:
            if lines[-1] and _wide(lines[-1]) + _wide(character) > size:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]


def paragraph(text: str, width: int) -> list[str]:
    """The lines of a note under the table."""
    return _wrap(text, min(width, MAX_WIDTH) - 1)


def columns() -> int:
    return shutil.get_terminal_size((80, 24)).columns
