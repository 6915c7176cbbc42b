"""A recorded assert: its numbers, and in words. Code stands only where the claim gives no name."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from grok.verdicts.number import apart, is_number, show

SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}


@dataclass(frozen=True)
class Assertion:
    """One asserted expression. ``left op right`` is its tightest comparison, measured value on the left.

    margin: signed distance to the threshold over max(|threshold|, 1e-12), positive if it holds; None if not numbers.
    name, against: what the left and the right side are called, by the evidence that they are; None if they are not.
    """

    expression: str
    values: str
    passed: bool
    left: float | None = None
    op: str | None = None
    right: float | None = None
    margin: float | None = None
    name: str | None = None
    against: str | None = None

    @property
    def shown(self) -> str:
        """What was asserted, and what was measured: ``share of the logits on K ≥ 0.9: measured 0.87``.

        The numbers and the code, if the claim gives the assert no name.
        """
        told = named([self])
        if told is None:
            return self.values if self.values == self.expression else f"{self.values}, from {self.expression}"
        if self.left is None or self.right is None:
            return f"{told}: {self.values}"
        left, right = apart(self.left, self.right)
        bounds = interval(self.expression)
        sides = _both(bounds) if bounds else f"{SIGNS[str(self.op)]} {self.against or right}"
        count, some, _ = self.values.partition(", the worst by ")  # of ``all(…)``: 2 of 28 fail
        measured = f"{count}, the worst measured {left}" if some else f"measured {left}"
        return f"{self.name} {sides}: {measured}{f' against {right}' if self.against else ''}"


def named(made: Sequence[Assertion]) -> str | None:
    """One assert on several subjects in words, or None: ``share of the logits on K ≥ 0.9``.

    Its sides are called by their evidence. A side without a name is the number that is written there, or its code.
    """
    called = {(a.name, a.against) for a in made}
    signs = {a.op for a in made}
    if len(called) != 1:
        return None
    expression = made[0].expression
    name, against = called.pop()
    if name is None:
        return None
    subject = f"{name}: each" if expression.startswith("all(") else name
    if bounds := interval(expression):  # of which some subjects are nearer to the one and some to the other
        return f"{subject} {_both(bounds)}"
    op = signs.pop()
    if signs or op not in SIGNS:
        return None
    other = against or _other(expression)
    return f"{subject} {SIGNS[op]} {other}" if other else None


def interval(expression: str) -> list[tuple[str, float]] | None:
    """The two bounds of ``low <= x <= high`` as comparisons of x; a record keeps only the tighter one."""
    match _tree(expression):
        case ast.Compare(
            left=ast.Constant(low),
            ops=[ast.Lt() | ast.LtE(), ast.Lt() | ast.LtE()],
            comparators=[_, ast.Constant(high)],
        ):
            return [(">=", low), ("<=", high)] if is_number(low) and is_number(high) else None
    return None


def _both(bounds: Sequence[tuple[str, float]]) -> str:
    return " and ".join(f"{SIGNS[sign]} {show(at)}" for sign, at in bounds)


def _other(expression: str) -> str | None:
    """The side that is not measured, of ``a >= b`` or ``all(a >= b for …)``: its number, or else its code."""
    match _tree(expression):
        case ast.Compare(left=left, ops=[_], comparators=[right]):
            pass
        case ast.Call(args=[ast.GeneratorExp(elt=ast.Compare(left=left, ops=[_], comparators=[right]))]):
            pass
        case _:
            return None
    for side in (left, right):
        try:
            return show(ast.literal_eval(side))
        except ValueError:
            continue
    return ast.unparse(right)


def _tree(expression: str) -> ast.expr | None:
    try:
        return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
