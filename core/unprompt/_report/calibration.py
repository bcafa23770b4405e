"""Expected scores of single test images against their true cosines, in ten bins."""

from __future__ import annotations

from dataclasses import dataclass

from unprompt._report.scales import Scale, Tick
from unprompt._runs.expected import Bin, ExpectedFile
from unprompt._runs.run import Run

HEIGHT = 220.0
"""Pixels from the lowest value to the highest."""


KNOWN = {
    "agreement of members": ("agreement ", "least agreement", "length"),
    "which members answered": ("answered ",),
    "scores of evidence": ("highest ", "mean "),
    "readback": ("readback",),
}
"""Words for features -> how their names begin."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A bin on the chart: percent across, pixels down."""

    bin: Bin
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class CalibrationChart:
    """The section.

    Attributes:
        content: All numbers.
        known: What expected scores follow from, in words.
        dots: From the lowest expected scores to the highest.
        diagonal: Where expected and actual are equal: x of its start, y, x of its end, y.
        across: Ticks of the expected score, percent of the width.
        up: Ticks of the mean cosine, pixels from the top.
    """

    content: ExpectedFile
    known: tuple[str, ...]
    dots: tuple[Dot, ...]
    diagonal: tuple[float, float, float, float]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def calibration(run: Run) -> CalibrationChart | None:
    """Place the bins; both axes show the same values. None in runs without expected scores.

    Raises:
        DataError: The file of expected scores is damaged.
    """
    learned = run.expectation
    if learned is None:
        return None
    bins = learned.content.test.bins
    values = [value for each in bins for value in (each.expected, each.actual)]
    wide = Scale.over(values, pad=0.08)
    down = Scale(wide.low, wide.high, HEIGHT, 0.0)
    return CalibrationChart(
        content=learned.content,
        known=_known(learned.content),
        dots=tuple(Dot(each, wide.at(each.expected), down.at(each.actual)) for each in bins),
        diagonal=(wide.at(wide.low), down.at(wide.low), wide.at(wide.high), down.at(wide.high)),
        across=tuple(wide.ticks()),
        up=tuple(down.ticks()),
    )


def _known(content: ExpectedFile) -> tuple[str, ...]:
    counted = [name for name, term in content.model.terms.items() if term.slope]
    return tuple(
        words for words, begin in KNOWN.items() if any(name.startswith(begin) for name in counted)
    )
