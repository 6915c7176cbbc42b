"""Two runs, or two models, side by side: what each claim measured, its verdict in both, and whether it is the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from grok.verdicts.claim import Claim
from grok.verdicts.number import is_number
from grok.verdicts.verdict import deciding, judged


@dataclass(frozen=True)
class Side:
    """A claim in one run. value: the measured side of the assert that decides, None if no number was asserted."""

    verdict: str
    value: float | None
    reason: str | None


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
        return self.first is not None and self.second is not None and self.first.verdict == self.second.verdict

    @property
    def change(self) -> float | None:
        """(second − first) / |first| of the values; None if there are not two numbers. It is 0 for two zeros."""
        a, b = (side.value if side else None for side in (self.first, self.second))
        if not (is_number(a) and is_number(b)):
            return None
        return 0.0 if a == b else (b - a) / max(abs(a), 1e-12)


def pairs(one: Iterable[Claim], other: Iterable[Claim]) -> list[Pair]:
    """Claim by claim, in the order of the first run; the claims that are only in the second follow.

    Both values are of the same assert: the one that decides in the first run if the second came to it too, or else the
    one that decides in the second.
    """
    ours, theirs = ({claim.id: claim for claim in claims} for claims in (one, other))
    found = []
    for name in dict.fromkeys([*ours, *theirs]):
        both = ours.get(name), theirs.get(name)
        said = both[0] or both[1]
        assert said is not None
        decide = [made.expression for claim in both if claim and (made := deciding(judged(claim.subjects))[1])]
        reached = [e for e in decide if all(claim and _value(claim, e) is not None for claim in both)]
        asked = next(iter(reached or decide), None)
        first, second = (Side(c.verdict, _value(c, asked), c.reason) if c else None for c in both)
        found.append(Pair(name, said.title, said.fixture or "", first, second))
    return found


def _value(claim: Claim, expression: str | None) -> float | None:
    """The measured side of this assert, where its margin is least over the models."""
    made = [a for s in judged(claim.subjects) for a in s.asserts if a.expression == expression and a.left is not None]
    return min(made, key=lambda a: math.inf if a.margin is None else a.margin).left if made else None
