"""Shapes with named sizes. A layout is a table of names and shapes, with which a file is compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from grok.errors import GrokError
from grok.models.names import Weights

Shape = tuple[str | int, ...]


@dataclass(frozen=True)
class Layout:
    """A recognised model: its weights under the names of ``grok.models.names``, its p, and notes about changes.

    used: the names in the file that were read. The other names are ignored, and the report lists them.
    other_readings: weights that the same file may also mean; the model's answers decide between them.
    """

    weights: Weights
    p: int
    used: frozenset[str]
    notes: list[str] = field(default_factory=list)
    other_readings: tuple[Weights, ...] = ()


def sizes(tensors: Mapping[str, Tensor], expected: Mapping[str, Shape], optional: Iterable[str] = ()) -> dict[str, int]:
    """The value of each named size, e.g. ``{"W_E": ("p", "d")}`` → {"p": 113, "d": 128}.

    Names in ``optional`` may be missing. Raises GrokError for the first tensor that contradicts the sizes before it.
    """
    found: dict[str, int] = {}
    for name, shape in expected.items():
        if name not in tensors and name in optional:
            continue
        actual = tuple(tensors[name].shape)
        fits = len(actual) == len(shape) and all(
            (found.setdefault(size, n) if isinstance(size, str) else size) == n
            for size, n in zip(shape, actual, strict=True)
        )
        if not fits:
            wanted = ", ".join(str(found.get(s, s)) if isinstance(s, str) else str(s) for s in shape)
            raise GrokError(f"{name} is {list(actual)}, expected [{wanted}]")
    return found


def shown(name: object) -> str:
    """A name from a file, made safe to print: control characters are escaped, and a long name is shortened."""
    text = str(name).encode("unicode_escape").decode("ascii")
    return text if len(text) <= 60 else text[:57] + "..."


def listed(items: list[str], most: int = 8) -> str:
    """The items as text, such as ``a, b and 3 more``."""
    rest = len(items) - most
    return ", ".join(items[:most]) + (f" and {rest} more" if rest > 0 else "") or "nothing"
