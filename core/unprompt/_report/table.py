"""The score table, and the same numbers as dots between floor and oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from unprompt._report.scales import Scale, Tick, anchor
from unprompt._runs.coverage import Part
from unprompt._runs.run import Run
from unprompt._runs.scores import MemberScore, SplitScores
from unprompt._scoring.estimate import Estimate

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

Limit = Literal["floor", "oracle"]
LIMITS: tuple[Limit, ...] = ("floor", "oracle")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the score table.

    Attributes:
        label: A member's name, or what else it is.
        role: ``member``, ``equal``, ``searched``, ``ensemble``, ``query``, ``floor`` or
            ``oracle``.
        holdout: Mean cosine there; None where it was not measured.
        test: Mean cosine there.
        gap: Share of the gap closed; None for floor and oracle, and without an oracle.
        best: Whether it is the best member.
        answered: The images that it has an answer for; None: all, or it needs no image.
    """

    label: str
    role: str
    holdout: float | None
    test: Estimate
    gap: Estimate | None = None
    best: bool = False
    answered: Part | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A row on the dot plot: a dot with its interval, or a line and a band over the whole height.

    Attributes:
        row: The row.
        y: Of the dot's row, or of the line's name; pixels from the top.
        x: Percent of the width.
        low: The interval's lower end, percent of the width.
        high: Its upper end.
    """

    row: Row
    y: int
    x: float
    low: float
    high: float

    @property
    def anchor(self) -> str:
        """Of the name."""
        return anchor(self.x)


@dataclass(frozen=True, slots=True)
class DotPlot:
    """Everything on the dot plot, placed.

    Attributes:
        dots: Members, best first, then the blends and the query itself.
        limits: Floor, and oracle where known.
        ticks: Of the axis, percent of the width.
        right: Where the lines of the dots end, percent of the width.
        top: Where the lines begin, pixels.
        bottom: Where the axis lies, pixels.
    """

    dots: tuple[Mark, ...]
    limits: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    right: float
    top: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Table:
    """The section.

    Attributes:
        rows: Members, best first, then the blends and the query itself.
        limits: Floor, and oracle where known.
        plot: The same as dots.
        answers: Whether somebody abstains, so that the table says who has which answers.
    """

    rows: tuple[Row, ...]
    limits: tuple[Row, ...]
    plot: DotPlot
    answers: bool


def table(run: Run) -> Table:
    """Lay out every score of the run."""
    rows, limits = score_rows(run.scores.holdout, run.scores.test)
    return Table(rows, limits, dot_plot(rows, limits), run.scores.test.abstains)


def score_rows(
    holdout: SplitScores | None, test: SplitScores
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The rows and limits of a table.

    Args:
        holdout: Scores on the holdout; None for a subset that the holdout has no image of.
        test: Scores of the same on test.
    """
    members = [
        _row(
            name,
            "member",
            holdout.members[name] if holdout else None,
            score,
            best=name == test.best_member,
        )
        for name, score in test.members.items()
    ]
    members.sort(key=lambda row: -row.test.score)
    blends = [
        _row("equal weights", "equal", holdout.equal if holdout else None, test.equal),
        _row("best trial", "searched", holdout.searched if holdout else None, test.searched),
        _row("searched weights", "ensemble", holdout.ensemble if holdout else None, test.ensemble),
    ]
    if test.query is not None:
        blends.append(_row("query itself", "query", None, test.query))
    limits = [row for name in LIMITS if (row := _limit(holdout, test, name))]
    return (*members, *blends), tuple(limits)


def _row(
    label: str, role: str, holdout: MemberScore | None, test: MemberScore, *, best: bool = False
) -> Row:
    held_out = holdout.score if holdout else None
    return Row(label, role, held_out, test, test.gap_closed, best, test.answered)


def _limit(holdout: SplitScores | None, test: SplitScores, name: Limit) -> Row | None:
    held_out, limit = holdout.limit(name) if holdout else None, test.limit(name)
    return Row(name, name, held_out.score if held_out else None, limit) if limit else None


def dot_plot(rows: Sequence[Row], limits: Sequence[Row]) -> DotPlot:
    """Place rows and limits."""
    ends = [end for row in (*rows, *limits) for end in (row.test.score, *row.test.drawn)]
    scale = Scale.over(ends, LEFT, RIGHT)
    xs = [scale.at(row.test.score) for row in limits]
    near = max(xs) - min(xs) < NEAR
    return DotPlot(
        dots=tuple(_mark(row, TOP + ROW * i + 22, scale) for i, row in enumerate(rows)),
        limits=tuple(
            _mark(row, 28 if near and row.role == "oracle" else 12, scale) for row in limits
        ),
        ticks=tuple(scale.ticks()),
        right=RIGHT,
        top=TOP - 12,
        bottom=TOP + ROW * len(rows) + 2,
    )


def _mark(row: Row, y: int, scale: Scale) -> Mark:
    return Mark(row, y, *map(scale.at, (row.test.score, *row.test.drawn)))
