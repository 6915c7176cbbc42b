"""Two runs side by side as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from grok.report.summary import headline
from grok.verdicts.compare import Pair, Side
from grok.verdicts.number import fitted, percent
from grok.verdicts.record import Verdicts

VALUE, CHANGE = 9, 10


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
        numbers = f"{_value(pair.first)} {_value(pair.second)} {_change(pair):>{CHANGE}}"
        yield f"{_id(pair):<{ids}} {numbers}  {_verdict(pair)}"
        if not pair.same_verdict:
            reason = pair.second.reason if pair.second else None
            for text in map(_printable, (pair.title, f"b: {reason}" if reason else "")):
                yield from textwrap.wrap(text, width, initial_indent=" " * (ids + 1), subsequent_indent=" " * (ids + 1))
    yield ""
    yield _last(names, found)


def _id(pair: Pair) -> str:
    return _printable(pair.id.removesuffix(f" · {pair.family}"))


def _printable(text: str) -> str:
    """The text without the control characters that would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() else " " for c in text)


def _value(side: Side | None) -> str:
    return f"{fitted(side.value if side else None, VALUE):>{VALUE}}"


def _change(pair: Pair) -> str:
    """The change of the value; empty if both are shown as the same number."""
    return "" if pair.change is None or _value(pair.first) == _value(pair.second) else percent(pair.change)


def _verdict(pair: Pair) -> str:
    if pair.first is None or pair.second is None:
        only, side = ("a", pair.first) if pair.first else ("b", pair.second)
        return f"only in {only}: {side.verdict if side else ''}"
    return pair.first.verdict if pair.same_verdict else f"{pair.first.verdict} → {pair.second.verdict}"


def _last(names: tuple[str, str], found: Sequence[Pair]) -> str:
    both = [pair for pair in found if pair.first and pair.second]
    verdicts = sum(not pair.same_verdict for pair in both)
    values = sum(bool(_change(pair)) for pair in both)
    claims = f"{len(both)} claim{'s' * (len(both) != 1)} in both"
    text = f"{claims}: {verdicts} with another verdict, {values} with another value"
    alone = [f"{n} only in {letter}" for letter, n in zip("ab", _alone(found), strict=True) if n]
    return "; ".join([text, *alone])


def _alone(found: Sequence[Pair]) -> tuple[int, int]:
    return sum(pair.second is None for pair in found), sum(pair.first is None for pair in found)
