"""Shapes with named sizes: a layout is a table of names and shapes, and a file fits it or does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from grok.errors import GrokError
from grok.models.names import Weights

Shape = tuple[str | int, ...]


@dataclass(frozen=True)
class Layout:
    """A recognised model: weights under the names of ``grok.models.matrices``, its p, and what was changed on the way.

    used: the file's names that were read; the rest is ignored and listed.
    other_readings: weights that the same file may mean as well; the model's answers decide between them.
    """

    weights: Weights
    p: int
    used: frozenset[str]
    notes: list[str] = field(default_factory=list)
    other_readings: tuple[Weights, ...] = ()


def sizes(tensors: Mapping[str, Tensor], expected: Mapping[str, Shape], optional: Iterable[str] = ()) -> dict[str, int]:
    """The value of each named size, e.g. ``{"W_E": ("p", "d")}`` → {"p": 113, "d": 128}.

    Names in ``optional`` may be missing. Raises GrokError on the first tensor that does not fit the sizes before it.
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
    """A name from a file, safe to print: control characters escaped, shortened."""
    text = str(name).encode("unicode_escape").decode("ascii")
    return text if len(text) <= 60 else text[:57] + "..."


def listed(items: list[str], most: int = 8) -> str:
    """``a, b and 3 more``."""
    rest = len(items) - most
    return ", ".join(items[:most]) + (f" and {rest} more" if rest > 0 else "") or "nothing"
