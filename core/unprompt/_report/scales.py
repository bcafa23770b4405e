"""Axes: where a value lies on a chart, and which round numbers to write beside it.

Charts are as wide as the page, so positions across are percentages and positions down are pixels:
text in a chart then keeps its size on a phone and on a wide screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from unprompt._report.numbers import MINUS


@dataclass(frozen=True, slots=True)
class Tick:
    """A round value on an axis.

    Attributes:
        at: Where, in the unit of the scale.
        label: The value as text.
    """

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from values to positions.

    Attributes:
        low: The value at `start`.
        high: The value at `end`; above `low`.
        start: A position, in percent of the width or in pixels from the top.
        end: The position of `high`; may be smaller than `start`.
    """

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0

    @classmethod
    def over(
        cls, values: Iterable[float], start: float = 0.0, end: float = 100.0, *, pad: float = 0.04
    ) -> Scale:
        """A scale that all values (one or more) fit on, ``pad`` of their range on both sides."""
        ordered = sorted(values)
        low, high = ordered[0], ordered[-1]
        room = (high - low) * pad if high - low > 1e-9 else max(abs(high), 1.0) * 0.05
        return cls(low - room, high + room, start, end)

    def at(self, value: float) -> float:
        """The position of ``value``, two digits; what is off the scale is put at its end."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + min(max(share, 0.0), 1.0) * (self.end - self.start), 2)

    def ticks(self, most: int = 5) -> list[Tick]:
        """At most about ``most`` round values, lowest first."""
        step = nice_step((self.high - self.low) / most)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [
            Tick(self.at(k * step), f"{k * step:.{digits}f}".replace("-", MINUS))
            for k in range(first, last + 1)
        ]


def nice_step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, at least ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    for times in (1, 2, 5, 10):
        if times * power >= rough * (1 - 1e-9):
            return float(times * power)
    return 10 * power


def anchor(x: float) -> str:
    """The end of a text that stands at ``x`` percent of the width, so that it stays on the page."""
    return "start" if x < 25 else "end" if x > 75 else "middle"
