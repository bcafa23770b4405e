"""How the test pictures' cosines are spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from unprompt._report.numbers import estimate, number
from unprompt._report.scales import Scale, Tick, nice_step
from unprompt._report.source import Run

HEIGHT = 180.0
"""Pixels of the longest bar."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar: pictures with a cosine from ``low`` up to ``high``; places as in the scales."""

    low: float
    high: float
    pictures: int
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across the bars: the mean, the floor or the oracle."""

    label: str
    role: str
    value: float
    x: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """The bars with their axes.

    Attributes:
        bins: From the lowest cosine to the highest, empty ones too.
        marks: The mean cosine; the frame's means where known.
        across: Ticks of the cosine, percent of the width.
        up: Ticks of the number of pictures, pixels from the top.
        pictures: How many there are.
        unknown: Pictures without a cosine; they are left out.
        median: Half of the pictures lie above it.
        below: Pictures that lie below the mean of the floor; None where that is not known.
    """

    bins: tuple[Bin, ...]
    marks: tuple[Mark, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    pictures: int
    unknown: int
    median: float
    below: int | None


def histogram(run: Run) -> Histogram | None:
    """Sort the pictures into bins; None where the run does not list them."""
    if run.cosines is None:
        return None
    cosines = sorted(value for value in run.cosines if value is not None)
    if not cosines:
        return None
    bins = _bins(cosines)
    frame = {role: number(run.test.get(role)) for role in ("floor", "oracle")}
    blend = estimate(run.test.get("ensemble"))
    means = {"floor": frame["floor"], "mean": blend.score if blend else None} | frame
    known = [value for value in means.values() if value is not None]
    wide = Scale.over([bins[0][0], bins[-1][1], *known], pad=0.02)
    down = Scale(0.0, float(max(count for _, _, count in bins)), HEIGHT, 0.0)
    floor = frame["floor"]
    return Histogram(
        bins=tuple(_bin(low, high, count, wide, down) for low, high, count in bins),
        marks=tuple(_mark(role, value, wide) for role, value in means.items() if value is not None),
        across=tuple(wide.ticks()),
        up=tuple(tick for tick in down.ticks(4) if "." not in tick.label and tick.label != "0"),
        pictures=len(run.cosines),
        unknown=len(run.cosines) - len(cosines),
        median=_median(cosines),
        below=None if floor is None else sum(value < floor for value in cosines),
    )


def _bins(cosines: Sequence[float]) -> list[tuple[float, float, int]]:
    """``(low, high, pictures)`` of bins of one round width; ``cosines`` is sorted."""
    wanted = min(max(2 * math.sqrt(len(cosines)), 10.0), 40.0)
    width = nice_step(max(cosines[-1] - cosines[0], 0.05) / wanted)
    first, last = (math.floor(value / width + 1e-9) for value in (cosines[0], cosines[-1]))
    counts = [0] * (last - first + 1)
    for value in cosines:
        counts[math.floor(value / width + 1e-9) - first] += 1
    return [
        (round((first + i) * width, 6), round((first + i + 1) * width, 6), count)
        for i, count in enumerate(counts)
    ]


def _bin(low: float, high: float, pictures: int, wide: Scale, down: Scale) -> Bin:
    x, y = wide.at(low), down.at(pictures)
    return Bin(low, high, pictures, x, round(wide.at(high) - x, 2), y, round(HEIGHT - y, 2))


def _mark(role: str, value: float, wide: Scale) -> Mark:
    x = wide.at(value)
    return Mark(role, role, value, x, "start" if x < 20 else "end" if x > 80 else "middle")


def _median(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
