"""What the sides of an assert are called: each by the evidence that the claim's variable holds.

In ``share = evidence("share of the logits on K", …)`` and ``assert share >= 0.9`` the measured side is called "share of
the logits on K". The source is read, no value is compared: two measures that happen to be equal are never confused.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict

Names = dict[str, str]


def bound(function: ast.FunctionDef) -> Names:
    """Variable → the name of its evidence. A variable that is also bound in another way has none."""
    found: dict[str, set[str | None]] = defaultdict(set)
    assigned: Counter[str] = Counter()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and len(node.targets) == 1:
            found[node.targets[0].id].add(_recorded(node.value))
            assigned[node.targets[0].id] += 1
    stored = Counter(n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    stored.update(argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg))
    return {
        variable: name
        for variable, names in found.items()
        if len(names) == 1 and (name := next(iter(names))) and stored[variable] == assigned[variable]
    }


def sides(test: ast.Compare, names: Names) -> tuple[str | None, ...]:
    """The name of each operand of a comparison; None if it has none."""
    return tuple(_name(operand, names) for operand in (test.left, *test.comparators))


def within(rows: ast.GeneratorExp, names: Names) -> Names:
    """The names inside ``all(x >= a for x in xs)``: x is called as xs is, also by way of a slice or ``xs.values()``.

    In ``all(x >= y for x, y in zip(xs, ys))`` x is called as xs is, and y as ys.
    """
    match rows.generators:
        case [ast.comprehension(target=ast.Name(variable), iter=items)]:
            return {**names, **_called([variable], [items], names)}
        case [ast.comprehension(target=ast.Tuple(elts=targets), iter=ast.Call(func=ast.Name("zip"), args=every))]:
            return {**names, **_called([t.id for t in targets if isinstance(t, ast.Name)], every, names)}
    return names


def _called(variables: list[str], each: list[ast.expr], names: Names) -> Names:
    found = {variable: _name(_whole(items), names) for variable, items in zip(variables, each, strict=False)}
    return {variable: name for variable, name in found.items() if name}


def _whole(items: ast.expr) -> ast.expr:
    match items:
        case ast.Call(func=ast.Attribute(value=whole, attr="values"), args=[], keywords=[]):
            return whole
        case ast.Subscript(value=whole, slice=ast.Slice()):
            return whole
    return items


def _name(operand: ast.expr, names: Names) -> str | None:
    return names.get(operand.id) if isinstance(operand, ast.Name) else _recorded(operand)


def _recorded(value: ast.expr) -> str | None:
    """The name in ``evidence("name", …)``."""
    match value:
        case ast.Call(func=ast.Name("evidence"), args=[ast.Constant(str(name)), *_]):
            return name
    return None
