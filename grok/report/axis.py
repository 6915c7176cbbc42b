"""The axis of a scale: linear, or logarithmic for values far apart. Positions in per cent of its width."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grok.verdicts.number import show

_LOG_FROM = 30.0  # a range wider than this factor is drawn on a log axis
_EDGE = 4.0  # per cent kept free on both sides


@dataclass(frozen=True)
class Axis:
    """From values to positions, 0 … 100 with the edges kept free. log: low and high are powers of ten."""

    low: float
    high: float
    log: bool

    @classmethod
    def over(cls, values: Sequence[float], main: Sequence[float] = ()) -> Axis:
        """An axis with room for the values. main: those that must be told apart (all, if none is given).

        A control whose value is nearly nought makes no axis logarithmic; it stands at the end of a linear one.
        """
        low, high = min(values), max(values)
        log = low > 0 and high / min(main or values) > _LOG_FROM
        if low == high:
            half = abs(low) / 2 or 0.5
            low, high = low - half, high + half
        return cls(math.log10(low), math.log10(high), True) if log else cls(low, high, False)

    def __call__(self, value: float) -> float:
        at = (math.log10(value) if self.log else value) - self.low
        return round(_EDGE + (100 - 2 * _EDGE) * at / (self.high - self.low), 2)

    def ticks(self) -> Iterator[tuple[float, str]]:
        if self.log:
            first, last = math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9)
            step = max(1, math.ceil((last - first) / 4))
            decades = [10.0**exponent for exponent in range(first, last + 1, step)]
            if len(decades) < 2:  # then the steps between, too
                decades = [m * 10.0**exponent for exponent in range(first - 1, last + 1) for m in (1, 2, 5)]
            yield from ((self(x), show(x)) for x in decades if self.low - 1e-9 <= math.log10(x) <= self.high + 1e-9)
            return
        step = 10 ** math.floor(math.log10((self.high - self.low) / 2))
        step *= next((m for m in (5, 2, 1) if (self.high - self.low) / (m * step) >= 2), 1)
        for i in range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1):
            yield self(i * step), show(float(f"{i * step:.6g}"))
