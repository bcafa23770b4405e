"""The search, trial by trial: every value, and the best so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from unprompt._report.numbers import fixed
from unprompt._report.scales import Scale, Tick

HEIGHT = 220.0
"""Pixels of the chart."""
DOTS = 2000
"""Trials that are drawn; of more, every k-th."""
MAY_HIDE, ALWAYS_SHOWN = 0.1, 0.6
"""Shares of the trials: members alone are far below all others, which they would squeeze."""


@dataclass(frozen=True, slots=True)
class HistoryChart:
    """The trials of a study, placed.

    Attributes:
        dots: Percent across and pixels down of each trial that is drawn.
        below: Percent across of those that are drawn and lie below the chart.
        hidden: How many trials lie below the chart, drawn or not.
        line: The best value so far, as points of an SVG polyline that is 100 wide.
        across: Ticks of the trials' numbers.
        up: Ticks of their values.
        best: Position of the best trial.
        least: The value at the lower edge, as text with all of its digits.
        trials: How many there are.
        every: Each how-manieth trial is drawn.
    """

    dots: tuple[tuple[float, float], ...]
    below: tuple[float, ...]
    hidden: int
    line: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    best: tuple[float, float]
    least: str
    trials: int
    every: int


def history_chart(values: Sequence[float]) -> HistoryChart:
    """Place the trials.

    Args:
        values: One per trial, one or more, in the order of their numbers.
    """
    ordered = sorted(values)
    down, digits = _rounded(Scale.over([_least(ordered), ordered[-1]], HEIGHT, 0.0, pad=0.08))
    wide = Scale(-0.5, len(values) - 0.5)
    every = -(-len(values) // DOTS)
    drawn = [(wide.at(i), value) for i, value in enumerate(values) if i % every == 0]
    return HistoryChart(
        dots=tuple((x, down.at(value)) for x, value in drawn if value >= down.low),
        below=tuple(x for x, value in drawn if value < down.low),
        hidden=sum(value < down.low for value in values),
        line=_steps(values, wide, down),
        across=tuple(tick for tick in wide.ticks() if "." not in tick.label),
        up=tuple(down.ticks(6)),
        best=(wide.at(values.index(ordered[-1])), down.at(ordered[-1])),
        least=fixed(down.low, digits),
        trials=len(values),
        every=every,
    )


def _rounded(down: Scale) -> tuple[Scale, int]:
    """The scale with a round lower edge, which a sentence names, and the edge's digits."""
    digits = max(3, 2 - math.floor(math.log10(down.high - down.low)))
    low = math.floor(down.low * 10**digits) / 10**digits
    return replace(down, low=low), digits


def _least(ordered: Sequence[float]) -> float:
    """The lowest value that the chart has to show, of values in ascending order."""
    last = len(ordered) - 1
    low, usual = ordered[int(MAY_HIDE * last)], ordered[int((1 - ALWAYS_SHOWN) * last)]
    spread = ordered[-1] - usual
    return max(low, usual - 2 * spread) if spread > 0 else low


def _steps(values: Sequence[float], wide: Scale, down: Scale) -> str:
    """The running best as a staircase that begins where it comes onto the chart."""
    points: list[str] = []
    best, y = float("-inf"), 0.0
    for i, value in enumerate(values):
        if value <= best:
            continue
        if points:
            points.append(f"{wide.at(i)},{y}")
        best, y = value, down.at(value)
        if value >= down.low:
            points.append(f"{wide.at(i)},{y}")
    return " ".join([*points, f"{wide.at(len(values) - 1)},{y}"])
