"""Two runs side by side as text for a terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from grok.report.summary import headline
from grok.verdicts.compare import ANOTHER_VALUE, ANOTHER_VERDICT, ONLY_A, ONLY_B, VALUE, Pair
from grok.verdicts.record import Verdicts

CHANGE = 10


def lines(names: tuple[str, str], runs: tuple[Verdicts, Verdicts], found: Sequence[Pair], width: int) -> Iterator[str]:
    """What the two files are, a row for each claim, and at the end how many differ. The sentence of a claim, and the
    reason of its new verdict, stand below the row if the verdict is another one."""
    for letter, name, run in zip("ab", names, runs, strict=True):
        yield f"{letter}  {name}: {headline(run.claims)}"
    ids = max((len(_id(pair)) for pair in found), default=0)
    family = None
    for pair in found:
        if pair.family != family:
            family = pair.family
            yield from ("", family or "models of the tests' own")
            yield f"{'':<{ids}} {'a':>{VALUE}} {'b':>{VALUE}} {'change':>{CHANGE}}  verdict"
        numbers = f"{pair.shown[0]:>{VALUE}} {pair.shown[1]:>{VALUE}} {pair.changed:>{CHANGE}}"
        yield f"{_id(pair):<{ids}} {numbers}  {_verdict(pair)}"
        if not pair.same_verdict:
            reason = pair.second.claim.reason if pair.second else None
            for text in map(_printable, (pair.title, f"b: {reason}" if reason else "")):
                yield from textwrap.wrap(text, width, initial_indent=" " * (ids + 1), subsequent_indent=" " * (ids + 1))
    yield ""
    yield counted(found)


def _id(pair: Pair) -> str:
    return _printable(pair.id.removesuffix(f" · {pair.family}"))


def _printable(text: str) -> str:
    """The text without the control characters that would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() else " " for c in text)


def _verdict(pair: Pair) -> str:
    first, second = (side.claim.verdict if side else "" for side in (pair.first, pair.second))
    if not (first and second):
        return f"{pair.kind}: {first or second}"
    return first if pair.same_verdict else f"{first} → {second}"


def counted(found: Sequence[Pair]) -> str:
    """How many claims are in both runs, how many of them differ, and how many are in one only."""
    tally = Counter(pair.kind for pair in found)
    both = len(found) - tally[ONLY_A] - tally[ONLY_B]
    claims = f"{both} claim{'s' * (both != 1)} in both"
    text = f"{claims}: {tally[ANOTHER_VERDICT]} with another verdict, {tally[ANOTHER_VALUE]} more with another value"
    return "; ".join([text, *(f"{tally[kind]} {kind}" for kind in (ONLY_A, ONLY_B) if tally[kind])])
