"""The score table, and the same numbers as dots between floor and oracle."""

from __future__ import annotations

from dataclasses import dataclass

from unprompt._report.headline import gap_of
from unprompt._report.numbers import Estimate, estimate, mapping, number
from unprompt._report.scales import Scale, Tick
from unprompt._report.source import Run
from unprompt.types import Json

ROW = 42
"""Pixels from one line of the dot plot to the next."""
TOP = 46
"""Pixels above the first line, for the names of floor and oracle."""
NEAR = 50
"""Percent of the width; names of floor and oracle that are nearer stand above each other."""
LEFT = 24.0
"""Percent of the width where the dots may begin: the names of the rows stand before it."""
RIGHT = 86.0
"""Percent of the width where the dots end; the scores as numbers stand behind it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the score table.

    Attributes:
        label: A member's name, or what the blend is.
        role: ``member``, ``equal``, ``searched``, ``ensemble``, ``floor`` or ``oracle``.
        holdout: Mean cosine there.
        test: Mean cosine there.
        gap: Share of the gap closed; None for floor and oracle, and without an oracle.
        best: Whether it is the best member.
    """

    label: str
    role: str
    holdout: float | None
    test: Estimate | None
    gap: Estimate | None
    best: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A row as a dot with its interval.

    Attributes:
        row: The row.
        y: Pixels from the top.
        x: Percent of the width.
        low: The interval's lower end, percent of the width.
        high: Its upper end.
    """

    row: Row
    y: int
    x: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Frame:
    """Floor or oracle: a line over the whole height with its interval as a band."""

    label: str
    role: str
    x: float
    low: float
    high: float
    y: int
    anchor: str
    value: float


@dataclass(frozen=True, slots=True)
class DotPlot:
    """Everything on the dot plot, placed.

    Attributes:
        dots: Members, best first, then the blends.
        frames: Floor and oracle, where known.
        ticks: Of the axis, percent of the width.
        right: Where the lines of the dots end, percent of the width.
        top: Where the lines begin, pixels.
        bottom: Where the axis lies, pixels.
    """

    dots: tuple[Dot, ...]
    frames: tuple[Frame, ...]
    ticks: tuple[Tick, ...]
    right: float
    top: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Table:
    """The section: rows, plot, and how much better the holdout looked.

    Attributes:
        rows: Members, best first, then the blends.
        frame: Floor and oracle.
        plot: The rows as dots.
        optimism: The blend's score on holdout minus that on test; None where not known.
    """

    rows: tuple[Row, ...]
    frame: tuple[Row, ...]
    plot: DotPlot
    optimism: float | None


def table(run: Run) -> Table:
    """Lay out every score of the run."""
    members = [_row(run, name, "member", "members", name) for name in run.members]
    members.sort(key=lambda row: -(row.test.score if row.test else -2.0))
    blends = [_row(run, "equal weights", "equal", "equal")]
    if "searched" in run.test:
        blends.append(_row(run, "best trial", "searched", "searched"))
    blends.append(_row(run, "searched weights", "ensemble", "ensemble"))
    rows = tuple(row for row in (*members, *blends) if row.test or row.role != "equal")
    frame = tuple(row for role in ("floor", "oracle") if (row := _frame_row(run, role)))
    optimism = number(run.part("optimism").get("score"))
    return Table(rows, frame, dot_plot(rows, frame), optimism)


def _row(run: Run, label: str, role: str, *path: str) -> Row:
    holdout: Json = run.split("holdout")
    test: Json = run.test
    for key in path:
        holdout, test = mapping(holdout).get(key), mapping(test).get(key)
    best = role == "member" and label == run.test.get("best_member")
    score = number(mapping(holdout).get("score"))
    return Row(label, role, score, estimate(test), gap_of(test), best)


def _frame_row(run: Run, role: str) -> Row | None:
    test = estimate(run.test, role, f"{role}_ci95")
    return Row(role, role, number(run.split("holdout").get(role)), test, None) if test else None


def dot_plot(rows: tuple[Row, ...], frame: tuple[Row, ...]) -> DotPlot:
    """Place rows and frame; a row without a score is in the table only."""
    shown = [row for row in rows if row.test]
    values = [end for row in (*shown, *frame) if row.test for end in _ends(row.test)]
    scale = Scale.over(values, LEFT, RIGHT)
    dots = tuple(_dot(row, TOP + ROW * i, scale) for i, row in enumerate(shown))
    places = [scale.at(row.test.score) for row in frame if row.test]
    near = len(places) == 2 and abs(places[0] - places[1]) < NEAR
    frames = tuple(
        _frame(row, row.test, scale, 28 if near and row.role == "oracle" else 12)
        for row in frame
        if row.test
    )
    return DotPlot(dots, frames, tuple(scale.ticks()), RIGHT, TOP - 12, TOP + ROW * len(dots) + 2)


def _dot(row: Row, top: int, scale: Scale) -> Dot:
    low, mean, high = map(scale.at, _ends(row.test)) if row.test else (0.0, 0.0, 0.0)
    return Dot(row, top + 22, mean, low, high)


def _frame(row: Row, test: Estimate, scale: Scale, y: int) -> Frame:
    low, mean, high = map(scale.at, _ends(test))
    anchor = "start" if mean < 25 else "end" if mean > 75 else "middle"
    return Frame(row.label, row.role, mean, low, high, y, anchor, test.score)


def _ends(value: Estimate) -> tuple[float, float, float]:
    """Lower end, mean and upper end; the mean three times where there is no interval."""
    if value.low is None or value.high is None:
        return value.score, value.score, value.score
    return value.low, value.score, value.high
