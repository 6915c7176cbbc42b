"""What a claim measured and asserted on one subject, recorded as plain JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from grok.verdicts import plots
from grok.verdicts.verdict import Assertion, Evidence, Plot

MAX_BYTES = 60_000  # of one plot or table, as JSON; a page can hold a hundred of them
VALUE_DIGITS = 10  # significant digits; more would differ between machines and have no meaning
PLOT_DIGITS = 4


class NotFinite(ValueError):
    """NaN or infinity in place of a number. The measure failed, which says nothing about the claim."""


def plain(value: Any, digits: int, what: str) -> Any:
    """``value`` as JSON: tensors and arrays become lists, floats are rounded to ``digits`` significant digits.

    Raises NotFinite, which names ``what``, and TypeError for a value that JSON cannot hold.
    """
    if hasattr(value, "tolist"):  # torch and numpy, without importing either
        value = value.tolist()
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                raise NotFinite(f"{what} is {value}, not a finite number")
            return float(f"{value:.{digits}g}")
        case dict():
            return {str(key): plain(v, digits, what) for key, v in value.items()}
        case list() | tuple() | range():
            return [plain(v, digits, what) for v in value]
        case set() | frozenset():
            return [plain(v, digits, what) for v in sorted(value)]
    raise TypeError(f"{what} is a {type(value).__name__}; evidence is numbers, text, lists, tensors or dicts of them")


def _checked(value: Any, digits: int, what: str) -> Any:
    result = plain(value, digits, what)
    if isinstance(result, (list, dict)) and (size := len(json.dumps(result))) > MAX_BYTES:
        raise ValueError(f"{what} takes {size} bytes, over {MAX_BYTES}: record less of it")
    return result


class Recorder:
    """The ``evidence`` fixture: ``evidence(name, value)`` records the value and returns it.

    A 0-d tensor or numpy scalar is returned as a Python number. Every other value is returned as it was given.
    """

    def __init__(self) -> None:
        self.keeps_plots = True
        self.evidence: list[Evidence] = []
        self.asserts: list[Assertion] = []
        self.plots: list[Plot] = []

    def __call__(
        self,
        name: str,
        value: Any,
        published: Any = None,
        control_draws: Any = None,
    ) -> Any:
        """Record a measured value (scalar or table) and return it.

        published: the source's own figure. control_draws: the same measure on matched random controls, numbers in a
        tensor, array or sequence; their least and greatest value and their number are recorded.
        Raises NotFinite, TypeError, and ValueError if the value is too large.
        """
        draws = list(control_draws.tolist() if hasattr(control_draws, "tolist") else control_draws or ())
        limits = [min(draws), max(draws)] if draws else None
        limits = plain(limits, VALUE_DIGITS, f"control range of {name}")
        figure = plain(published, VALUE_DIGITS, f"published {name}")
        self.evidence.append(Evidence(name, _checked(value, VALUE_DIGITS, name), figure, limits, len(draws) or None))
        return value.tolist() if getattr(value, "ndim", None) == 0 else value

    def plot(self, kind: str, name: str, arrays: Callable[[], Mapping[str, Any]] | None = None, **data: Any) -> None:
        """Record arrays for a plot of this kind on the page (``grok.verdicts.plots.KINDS``), to 4 significant digits.

        An array that is expensive to compute may be given as a function without arguments. It is called only if the
        plot is kept. Of many networks of one kind, such as the draws of initial weights, only one keeps its plots.
        arrays: a function that makes several of them, by name.
        Raises as ``__call__``, and ValueError for an unknown kind and for a plot without points. Where a network may
        have nothing to draw, the claim asks first, and says why there is no plot: ``evidence("no plot", "…")``.
        """
        plots.check(kind, name)
        if self.keeps_plots:
            made = dict(arrays() if arrays else {})
            made |= {key: value() if callable(value) else value for key, value in data.items()}
            recorded = _checked(made, PLOT_DIGITS, f"plot {name}")
            plots.check_data(kind, name, recorded)
            self.plots.append(Plot(kind, name, recorded))


_ACTIVE: ContextVar[Recorder | None] = ContextVar("grok_recorder", default=None)


def active() -> Recorder | None:
    """The recorder of the claim that is running now."""
    return _ACTIVE.get()


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """While this is open, asserts of claims are recorded in this recorder."""
    token = _ACTIVE.set(recorder)
    try:
        yield
    finally:
        _ACTIVE.reset(token)
