"""Numbers by name as bars: importances of parameters, and seconds of stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SLOWEST = 12
"""Stages that are shown; the others are summed up."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A labelled number.

    Attributes:
        label: What it is of.
        value: The number, at least 0.
        width: Percent of the largest number.
    """

    label: str
    value: float
    width: float


@dataclass(frozen=True, slots=True)
class Stages:
    """Wall-clock seconds.

    Attributes:
        bars: The slowest stages, slowest first.
        others: How many are not shown.
        rest: Their seconds.
        total: Seconds of all.
    """

    bars: tuple[Bar, ...]
    others: int
    rest: float
    total: float


def bars(values: Mapping[str, float]) -> tuple[Bar, ...]:
    """Bars of ``values``, longest first."""
    longest = max(values.values(), default=0.0) or 1.0
    ordered = sorted(values.items(), key=lambda pair: -pair[1])
    return tuple(Bar(name, value, round(100 * value / longest, 2)) for name, value in ordered)


def stages(seconds: Mapping[str, float]) -> Stages:
    """Sort stages by their seconds."""
    ordered = bars(seconds)
    rest = ordered[SLOWEST:]
    return Stages(
        bars=ordered[:SLOWEST],
        others=len(rest),
        rest=sum(bar.value for bar in rest),
        total=sum(bar.value for bar in ordered),
    )
