"""How the test images' cosines are spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from unprompt._report.scales import Scale, Tick, anchor, nice_step
from unprompt._runs.run import Run

HEIGHT = 180.0
"""Pixels of the longest bar."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar: images with a cosine from ``low`` up to ``high``; positions as in the scales."""

    low: float
    high: float
    images: int
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line across the bars: the ``mean``, the ``floor`` or the ``oracle``."""

    role: str
    value: float
    x: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """The bars with their axes.

    Attributes:
        bins: From the lowest cosine to the highest, empty ones too.
        lines: The means of floor, blend and, where known, oracle.
        across: Ticks of the cosine, percent of the width.
        up: Ticks of the number of images, pixels from the top.
        images: How many there are.
        median: Half of the images lie above it.
        below: Images that lie below the mean of the floor.
        unanswered: Test images that nobody has an answer for; they are in no bar.
        read: Images whose prompt was read from the file; they are in the bars.
    """

    bins: tuple[Bin, ...]
    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    images: int
    median: float
    below: int
    unanswered: int
    read: int


def histogram(run: Run) -> Histogram | None:
    """Sort the images into bins; None where nobody has an answer for any of them.

    Raises:
        DataError: The table of images is missing or broken.
    """
    test = run.scores.test
    cosines = sorted(row.cosine for row in run.images if row.origin != "none")
    if not cosines:
        return None
    counts = _bins(cosines)
    means = {"floor": test.floor, "mean": test.ensemble.score}
    if test.oracle is not None:
        means["oracle"] = test.oracle
    wide = Scale.over([counts[0][0], counts[-1][1], *means.values()], pad=0.02)
    down = Scale(0.0, float(max(images for _, _, images in counts)), HEIGHT, 0.0)
    xs = {role: wide.at(value) for role, value in means.items()}
    return Histogram(
        bins=tuple(_bin(*edges_and_images, wide, down) for edges_and_images in counts),
        lines=tuple(Line(role, means[role], x, anchor(x)) for role, x in xs.items()),
        across=tuple(wide.ticks()),
        up=tuple(tick for tick in down.ticks(4) if "." not in tick.label and tick.label != "0"),
        images=len(cosines),
        median=median(cosines),
        below=sum(value < test.floor for value in cosines),
        unanswered=len(run.images) - len(cosines),
        read=sum(row.origin == "read" for row in run.images),
    )


def _bins(cosines: Sequence[float]) -> list[tuple[float, float, int]]:
    """``(low, high, images)`` of bins of one round width; ``cosines`` is sorted."""
    wanted = min(max(2 * math.sqrt(len(cosines)), 10.0), 40.0)
    width = nice_step(max(cosines[-1] - cosines[0], 0.05) / wanted)
    first, last = (math.floor(value / width + 1e-9) for value in (cosines[0], cosines[-1]))
    counts = [0] * (last - first + 1)
    for value in cosines:
        counts[math.floor(value / width + 1e-9) - first] += 1
    return [
        (round((first + i) * width, 6), round((first + i + 1) * width, 6), images)
        for i, images in enumerate(counts)
    ]


def _bin(low: float, high: float, images: int, wide: Scale, down: Scale) -> Bin:
    x, y = wide.at(low), down.at(images)
    return Bin(low, high, images, x, round(wide.at(high) - x, 2), y, round(HEIGHT - y, 2))
