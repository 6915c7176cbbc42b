"""Recorded asserts: what a claim compares is recorded with its numbers, so that a threshold is written only once.

``recorded`` compiles a function again and replaces ``assert a >= b`` by ``assert compare("a >= b", a, b)``. Lines,
names and the order of evaluation do not change, so debuggers and coverage see the source as it is written.
"""

from __future__ import annotations
import __future__

import ast
import copy
import inspect
import linecache
import math
import operator
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

from grok.errors import NotEvaluable
from grok.suite import naming
from grok.suite.evidence import NotFinite, active
from grok.verdicts.verdict import Assertion

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
    "in": lambda a, b: a in b,
    "not in": lambda a, b: a not in b,
    "is": operator.is_,
    "is not": operator.is_not,
}
_NODES = (ast.GtE, ast.Gt, ast.LtE, ast.Lt, ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Is, ast.IsNot)
_SYMBOLS = dict(zip(_NODES, _OPERATORS, strict=True))
_FLIPPED = {">=": "<=", ">": "<", "<=": ">=", "<": ">", "==": "==", "!=": "!="}
_SELF = "@grok_asserts"  # not an identifier, so it cannot clash with a name of the claim's module


# ── while a claim runs ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Written:
    """A comparison, possibly chained, as the claim writes it. ``text``: the whole expression.

    literal: which operands are constants. names: what each is called, if it is (see ``grok.suite.naming``).
    """

    text: str
    ops: tuple[str, ...]
    literal: tuple[bool, ...]
    names: tuple[str | None, ...]


def compare(written: Written, operands: tuple[Any, ...]) -> bool:
    """Record a comparison of these operands."""
    tightest, shown, passed = _chain(written, operands)
    return _record(Assertion(written.text, shown, passed, *tightest))


def every(written: Written, rows: Iterable[tuple[Any, ...]]) -> bool:
    """Record ``all(a >= b for …)`` by its tightest comparison. Raises NotEvaluable if there is no comparison."""
    chains = [_chain(written, row) for row in rows]
    if not chains:
        raise NotEvaluable(f"nothing to compare in {written.text}")
    tightest, shown, passed = min(chains, key=lambda chain: _tightness(chain[2], chain[0][3]))
    failed = sum(not chain[2] for chain in chains)
    count = f"{failed} of {len(chains)} fail, the worst by" if failed else f"all {len(chains)}, the tightest:"
    return _record(Assertion(written.text, f"{count} {shown}", passed, *tightest))


def truth(text: str, value: Any) -> bool:
    """Record any other expression: only whether it is true."""
    return _record(Assertion(text, _shown(value), bool(value)))


def message() -> str:
    """The message of the assert that just failed: its values."""
    recorder = active()
    return recorder.asserts[-1].values if recorder else ""


def margin(left: Any, op: str, right: Any) -> float | None:
    """Signed distance to the threshold ``right`` over max(|right|, 1e-12); it is positive if the comparison holds.

    None if a side is not a number, and for an equality that holds, which has no distance.
    """
    if not all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (left, right)):
        return None
    gap = (left - right) / max(abs(right), 1e-12)
    if op in (">=", ">"):
        return gap
    if op in ("<=", "<"):
        return -gap
    return -abs(gap) if op == "==" and gap else None


# left, op, right, margin, and what the two sides are called: the measured side is on the left
Tightest = tuple[Any, str, Any, float | None, str | None, str | None]


def _chain(written: Written, operands: tuple[Any, ...]) -> tuple[Tightest, str, bool]:
    """The tightest of these neighbouring comparisons, the numbers as a text, and whether all hold."""
    values = [_scalar(written.text, operand) for operand in operands]
    sides = list(zip(values, written.names, strict=True))
    pairs: list[tuple[bool, Tightest]] = []
    for op, one, other, one_is_literal in zip(written.ops, sides, sides[1:], written.literal, strict=False):
        passed = bool(_OPERATORS[op](one[0], other[0]))
        if one_is_literal and op in _FLIPPED:
            one, op, other = other, _FLIPPED[op], one
        (left, name), (right, against) = one, other
        pairs.append((passed, (left, op, right, margin(left, op, right), name, against)))
    left, op, right, room, *called = min(pairs, key=lambda pair: _tightness(pair[0], pair[1][3]))[1]
    digits = _digits(values)
    shown = "".join(f"{_shown(v, digits)} {op} " for v, op in zip(values, (*written.ops, ""), strict=True)).rstrip()
    return (_number(left), op, _number(right), room, *called), shown, all(passed for passed, _ in pairs)


def _tightness(passed: bool, room: float | None) -> tuple[bool, float]:
    return passed, math.inf if room is None else room


def _scalar(text: str, value: Any) -> Any:
    """The value, a 0-d tensor as a number. Raises NotFinite, because a comparison with NaN refutes nothing."""
    if hasattr(value, "tolist") and getattr(value, "ndim", None) == 0:
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        raise NotFinite(f"{text}: compared with {value}, not a finite number")
    return value


def _number(value: Any) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _digits(values: list[Any]) -> int:
    """The number of significant digits that distinguish unequal numbers; at least five."""
    numbers = {v for v in values if isinstance(v, float)} | {v for v in values if isinstance(v, int)}
    return next((d for d in range(5, 17) if len({f"{v:.{d}g}" for v in numbers}) == len(numbers)), 17)


def _shown(value: Any, digits: int = 5) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    text = repr(value) if not isinstance(value, (set, frozenset)) else "{" + ", ".join(map(repr, sorted(value))) + "}"
    return text if len(text) <= 100 else text[:99] + "…"


def _record(assertion: Assertion) -> bool:
    recorder = active()
    if recorder is not None:
        recorder.asserts.append(assertion)
    return assertion.passed


# ── before it runs ───────────────────────────────────────────────────────────────────────────────────────────────


def recorded(function: Callable[..., Any]) -> tuple[str, ...]:
    """Make the asserts of this function recorded asserts, in place. Returns their expressions as written.

    Raises TypeError if the source code cannot be read, or if the function uses variables of an enclosing function.
    """
    function = inspect.unwrap(function)
    code: CodeType = function.__code__
    if code.co_freevars:
        raise TypeError(f"{function.__name__} uses variables of an enclosing function; a claim stands at module level")
    linecache.checkcache(code.co_filename)
    source = "".join(linecache.getlines(code.co_filename))
    node = _definition(source, code)
    if node is None:
        raise TypeError(f"no source for {function.__name__} in {code.co_filename}; a claim's asserts are read from it")
    found = sorted((a for a in ast.walk(node) if isinstance(a, ast.Assert)), key=lambda a: a.lineno)
    texts = tuple(_text(source, a.test) for a in found)
    # Decorators stay in the tree: a function's first line is that of the first of them, and lines are counted from it.
    tree = ast.fix_missing_locations(ast.Module([_Recording(source, naming.bound(node)).visit(node)], []))
    flags = code.co_flags & __future__.annotations.compiler_flag
    module = compile(tree, code.co_filename, "exec", flags=flags, dont_inherit=True)
    again = next(c for c in module.co_consts if isinstance(c, CodeType) and c.co_name == code.co_name)
    function.__code__ = again.replace(co_qualname=code.co_qualname)
    function.__globals__[_SELF] = sys.modules[__name__]
    return texts


def _definition(source: str, code: CodeType) -> ast.FunctionDef | None:
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno:
                return copy.deepcopy(node)  # the copy will be changed, and the cached tree must not
    return None


@lru_cache(maxsize=8)  # a file is parsed for each of its claims
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


@lru_cache(maxsize=8)
def _lines(source: str) -> list[bytes]:
    return [line.encode() for line in source.split("\n")]


def _text(source: str, node: ast.AST) -> str:
    """The expression as written, on one line. ``ast.get_source_segment`` would split the whole file for each one."""
    if not isinstance(node, ast.expr) or node.end_lineno is None or node.end_col_offset is None:
        return ast.unparse(node)
    lines = _lines(source)[node.lineno - 1 : node.end_lineno]
    lines[-1] = lines[-1][: node.end_col_offset]  # the end first: it may be the same line
    lines[0] = lines[0][node.col_offset :]
    return " ".join(b" ".join(lines).decode().split())


class _Recording(ast.NodeTransformer):
    def __init__(self, source: str, names: naming.Names) -> None:
        self.source = source
        self.names = names

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        node.test = self.recorded(node.test)
        node.msg = node.msg or self.call("message", node.test)
        return node

    def recorded(self, test: ast.expr) -> ast.expr:
        match test:
            case ast.BoolOp(op=ast.And(), values=values):
                return ast.copy_location(ast.BoolOp(ast.And(), [self.recorded(v) for v in values]), test)
            case ast.Compare():
                return self.call("compare", test, self.written(test, test, self.names), self.operands(test))
            case ast.Call(
                func=ast.Name("all"), args=[ast.GeneratorExp(elt=ast.Compare() as each) as rows], keywords=[]
            ):
                written = self.written(test, each, naming.within(rows, self.names))
                rows.elt = self.operands(each)
                return self.call("every", test, written, rows)
        return self.call("truth", test, ast.Constant(_text(self.source, test)), test)

    def written(self, whole: ast.expr, test: ast.Compare, names: naming.Names) -> ast.expr:
        literal = tuple(_is_literal(operand) for operand in (test.left, *test.comparators))
        ops = tuple(_SYMBOLS[type(op)] for op in test.ops)
        parts: tuple[Any, ...] = (_text(self.source, whole), ops, literal, naming.sides(test, names))
        return self.call("Written", whole, *(ast.Constant(part) for part in parts))

    def operands(self, test: ast.Compare) -> ast.Tuple:
        return ast.copy_location(ast.Tuple([test.left, *test.comparators], ast.Load()), test)

    def call(self, name: str, where: ast.expr, *args: ast.expr) -> ast.Call:
        function = ast.Attribute(ast.Name(_SELF, ast.Load()), name, ast.Load())
        return ast.copy_location(ast.Call(function, list(args), []), where)


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant))
