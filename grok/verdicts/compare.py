"""Two runs, or two models, side by side: what each claim measured, its verdict in both, and whether it is the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from grok.verdicts.assertion import Assertion
from grok.verdicts.claim import Claim
from grok.verdicts.number import fitted, is_number, percent
from grok.verdicts.verdict import deciding, judged

VALUE = 9  # columns for a number: five significant digits, by which two values are told apart
ANOTHER_VERDICT, ANOTHER_VALUE, SAME = "another verdict", "another value", "no difference"
ONLY_A, ONLY_B = "only in a", "only in b"


@dataclass(frozen=True)
class Side:
    """A claim in one run, and the assert whose value is compared; None if no number was asserted."""

    claim: Claim
    made: Assertion | None

    @property
    def value(self) -> float | None:
        """The measured side."""
        return self.made.left if self.made else None


@dataclass(frozen=True)
class Pair:
    """A claim in both runs; None where it is not in one of them."""

    id: str
    title: str
    family: str
    first: Side | None
    second: Side | None

    @property
    def same_verdict(self) -> bool:
        return (
            self.first is not None and self.second is not None and self.first.claim.verdict == self.second.claim.verdict
        )

    @property
    def change(self) -> float | None:
        """(second − first) / |first| of the values; None if there are not two numbers. It is 0 for two zeros."""
        a, b = (side.value if side else None for side in (self.first, self.second))
        if not (is_number(a) and is_number(b)):
            return None
        return 0.0 if a == b else (b - a) / max(abs(a), 1e-12)

    @property
    def shown(self) -> tuple[str, str]:
        """Both values as text."""
        a, b = (fitted(side.value if side else None, VALUE) for side in (self.first, self.second))
        return a, b

    @property
    def changed(self) -> str:
        """The change as text; empty if both values are shown as the same number."""
        return "" if self.change is None or self.shown[0] == self.shown[1] else percent(self.change)

    @property
    def kind(self) -> str:
        """What differs: the verdict, or else the value; or nothing, or the claim is in one run only."""
        if self.first is None or self.second is None:
            return ONLY_A if self.first else ONLY_B
        return ANOTHER_VERDICT if not self.same_verdict else ANOTHER_VALUE if self.changed else SAME


def pairs(one: Iterable[Claim], other: Iterable[Claim]) -> list[Pair]:
    """Claim by claim, in the order of the first run; the claims that are only in the second follow.

    Both values are of the same assert: the one that decides in the first run if the second came to it too, or else the
    one that decides in the second. It is the same if it has the same name and sign, or, without a name, the same code:
    a threshold may be another one.
    """
    ours, theirs = ({claim.id: claim for claim in claims} for claims in (one, other))
    found = []
    for name in dict.fromkeys([*ours, *theirs]):
        both = ours.get(name), theirs.get(name)
        said = both[0] or both[1]
        assert said is not None
        decide = [_key(made) for claim in both if claim and (made := deciding(judged(claim.subjects))[1])]
        reached = [key for key in decide if all(claim and _made(claim, key) for claim in both)]
        asked = next(iter(reached or decide), None)
        first, second = (Side(claim, _made(claim, asked)) if claim else None for claim in both)
        found.append(Pair(name, said.title, said.fixture or "", first, second))
    return found


def _key(made: Assertion) -> tuple[str | None, str]:
    return (made.op, made.name) if made.name else (None, made.expression)


def _made(claim: Claim, key: tuple[str | None, str] | None) -> Assertion | None:
    """This assert where its margin is least over the models."""
    made = [a for s in judged(claim.subjects) for a in s.asserts if _key(a) == key and a.left is not None]
    return min(made, key=lambda a: math.inf if a.margin is None else a.margin, default=None)
