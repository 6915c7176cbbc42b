"""Numbers as text for readers."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

MINUS = "\N{MINUS SIGN}"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a finite int or float, and not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def show(value: Any, digits: int = 4) -> str:
    """Short text of any JSON value: numbers to ``digits`` significant digits, long arrays as their shape.

    >>> show(0.981234), show(1.04e-6), show(22800), show([1, 5, 34]), show([[0] * 9] * 9)
    ('0.9812', '1.04e-6', '22,800', '1, 5, 34', '9 × 9 array')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_number(value):
        return _number(value, digits)
    if isinstance(value, list):
        if any(isinstance(row, list) for row in value):
            if len(value) <= 4 and all(isinstance(row, list) and len(row) <= 3 for row in value):
                return ", ".join(f"({show(row, digits)})" for row in value)
            return f"{len(value)} × {max(len(row) for row in value if isinstance(row, list))} array"
        return ", ".join(show(x, digits) for x in value) if len(value) <= 16 else f"array of {len(value)}"
    return "–" if value is None else str(value)


def fitted(value: Any, width: int) -> str:
    """``show`` with as many significant digits, five at most, as fit a column of this width; two at least.

    >>> fitted(0.98241, 8), fitted(0.0028445123, 8), fitted(123456.0, 8), fitted({"a": 1}, 8)
    ('0.98241', '0.002845', '1.2346e5', 'table')
    """
    if isinstance(value, dict):
        return "table"
    texts = [show(value, digits) for digits in (5, 4, 3, 2)]
    return next((text for text in texts if len(text) <= width), texts[-1])


def apart(one: float, other: float) -> tuple[str, str]:
    """Both numbers with as many significant digits as tell them apart, four at least.

    >>> apart(0.91, 0.95), apart(0.949999, 0.95)
    (('0.91', '0.95'), ('0.949999', '0.95'))
    """
    digits = next((d for d in range(4, 17) if show(one, d) != show(other, d)), 4)
    return show(one, digits), show(other, digits)


def percent(margin: float | None) -> str:
    """A margin, with its sign, in per cent of the threshold.

    >>> percent(0.00241), percent(-0.5), percent(21.36), percent(None)
    ('+0.241 %', '−50 %', '+2,136 %', '–')
    """
    if not is_number(margin):
        return "–"
    if abs(margin) > 1e6:
        return f"{'+' if margin > 0 else MINUS}∞"
    return f"{'+' if margin >= 0 else MINUS}{_number(abs(margin) * 100, 3 if abs(margin) < 1 else 4)} %"


def _number(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e5):
        text = f"{int(value):,}"
    elif 1e-3 <= abs(value) < 1e5:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", MINUS, 1) if text.startswith("-") else text
