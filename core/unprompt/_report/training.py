"""How each member was trained: its learning curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from unprompt._data.metrics import MetricsLine
from unprompt._files import paths
from unprompt._report.scales import Scale, Tick, nice_step
from unprompt._runs import files
from unprompt._runs.run import Run
from unprompt.errors import DataError

HEIGHT = 140.0
"""Pixels of a panel."""
FIRST, NEXT = 38, 178
"""Pixels from the top of the chart to the first panel, and from each panel to the next."""
RIGHT = 98.5
"""Percent across of the last step: a ring around it stays on the chart."""
POINTS = 400
"""Values that are drawn; of more, the mean of every k of them."""
DOTS = 60
"""Scores that have a dot each."""
EPOCHS, NUMBERS = 40, 8
"""Ends of epochs that are marked, and that have their number beside them."""
VALIDATION = "validation cosine"
"""The score that is shown, where there is one of this name; else the first on validation."""
_QUARTILE, _ABOVE = 0.75, 5.0
"""The loss may be cut above this many times the distance of this quantile from the lowest."""

_Points = Sequence[tuple[int, float]]
"""Steps and values."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric over the steps, placed.

    Attributes:
        name: Of the metric.
        top: Pixels from the top of the chart.
        line: Points of an SVG polyline that is 100 wide.
        dots: Percent across and pixels down of each measured value; empty where there are many.
        up: Ticks of the values.
        best: Position of the best value; None where the panel has none.
        last: The value at the last step that measured it.
        values: How many finite ones there are.
        every: Each point is the mean of so many values.
        above: How many values lie above the panel.
        missing: How many were no finite number.
    """

    name: str
    top: int
    line: str
    dots: tuple[tuple[float, float], ...]
    up: tuple[Tick, ...]
    best: tuple[float, float] | None
    last: float
    values: int
    every: int
    above: int
    missing: int


@dataclass(frozen=True, slots=True)
class Best:
    """The step with the highest score on validation images; a member may keep another one."""

    step: int
    epoch: float
    score: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A member's training.

    Attributes:
        member: Its name.
        panels: The loss and the score on validation images, those of them that were measured.
        across: Ticks of the steps, percent of the width.
        epochs: Ends of epochs; those without room for a number have none.
        best: The best score; None without a score on validation images.
        steps: Optimiser steps.
        passes: Passes over the train split.
        seconds: How long it took.
        rate: Images per second, at the last step that measured it.
        card: The file of the card, in the run's folder; empty where there is none.
        fault: Why nothing can be drawn; empty where it can.
    """

    member: str
    panels: tuple[Panel, ...] = ()
    across: tuple[Tick, ...] = ()
    epochs: tuple[Tick, ...] = ()
    best: Best | None = None
    steps: int = 0
    passes: float = 0.0
    seconds: float = 0.0
    rate: float | None = None
    card: str = ""
    fault: str = ""

    @property
    def height(self) -> int:
        """Pixels of the chart, its axis included."""
        return FIRST + NEXT * len(self.panels)

    @property
    def bottom(self) -> int:
        """Pixels from the top to the lower edge of the last panel."""
        return self.height - NEXT + round(HEIGHT)


def curves(run: Run) -> tuple[Curve, ...]:
    """The learning curves of the members that were trained, in the ensemble's order.

    Families write these files, so one that cannot be read is said to be so.
    """
    drawn: list[Curve] = []
    for member in run.weights:
        card = files.training_card(member)
        card = card if paths.is_file(run.folder / card) else ""
        try:
            lines = run.training(member)
            if lines is not None:
                drawn.append(replace(learning_curve(member, lines), card=card))
        except DataError as error:
            what = error.problems[0].replace(f"{paths.shown(run.folder)}/", "")
            drawn.append(Curve(member, card=card, fault=what))
    return tuple(drawn)


def learning_curve(member: str, lines: Sequence[MetricsLine]) -> Curve:
    """Place what was measured.

    Args:
        member: The member's name.
        lines: In the order of their steps.
    """
    wide = Scale(0.0, float(max(lines[-1].step, 1)) if lines else 1.0, 0.0, RIGHT)
    panels: list[Panel] = []
    for name in _shown(lines):
        panel = _panel(name, FIRST + NEXT * len(panels), _series(lines, name), wide)
        panels += [panel] if panel else []
    if not panels:
        return Curve(member, fault="it measured no loss and no score on validation images")
    return Curve(
        member=member,
        panels=tuple(panels),
        across=tuple(tick for tick in wide.ticks() if "." not in tick.label),
        epochs=_epochs(lines, wide),
        best=_best(lines, panels[-1].name),
        steps=lines[-1].step,
        passes=lines[-1].epoch,
        seconds=lines[-1].seconds,
        rate=next((value for _, value in reversed(_series(lines, "images_per_second"))), None),
    )


def _shown(lines: Iterable[MetricsLine]) -> list[str]:
    """The metrics that have a panel."""
    names = list(dict.fromkeys(name for line in lines for name in line.values))
    scores = sorted(filter(_is_score, names), key=lambda name: name != VALIDATION)
    return [*(name for name in names if name == "loss"), *scores[:1]]


def _series(lines: Iterable[MetricsLine], name: str) -> _Points:
    return [(line.step, line.values[name]) for line in lines if name in line.values]


def _is_score(name: str) -> bool:
    return name.startswith("validation")


def _panel(name: str, top: int, series: _Points, wide: Scale) -> Panel | None:
    """One metric; None where no value is finite."""
    finite = [(step, value) for step, value in series if math.isfinite(value)]
    if not finite:
        return None
    every = -(-len(finite) // POINTS)
    drawn = finite if _is_score(name) and every == 1 else _means(finite, every)
    down = _down([value for _, value in drawn], whole=_is_score(name))
    places = [(wide.at(step), down.at(value)) for step, value in drawn]
    best = max(finite, key=lambda point: point[1]) if _is_score(name) else None
    return Panel(
        name=name,
        top=top,
        line=" ".join(f"{x},{y}" for x, y in places),
        dots=tuple(places) if len(places) <= (DOTS if _is_score(name) else 1) else (),
        up=tuple(down.ticks(6)),
        best=best and (wide.at(best[0]), down.at(best[1])),
        last=finite[-1][1],
        values=len(finite),
        every=every,
        above=sum(value > down.high for _, value in drawn),
        missing=len(series) - len(finite),
    )


def _down(values: Sequence[float], *, whole: bool) -> Scale:
    """The scale of a panel's values; unless it has to show them all, without those far above."""
    ordered = sorted(values)
    low, usual, high = ordered[0], ordered[int(_QUARTILE * (len(ordered) - 1))], ordered[-1]
    if not whole and usual > low:
        high = min(high, low + _ABOVE * (usual - low))
    return Scale.over([low, high], HEIGHT, 0.0, pad=0.08)


def _means(points: _Points, every: int) -> _Points:
    """The mean of every ``every`` values, at the last of their steps."""
    groups = [points[i : i + every] for i in range(0, len(points), every)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def _best(lines: Sequence[MetricsLine], name: str) -> Best | None:
    """The first of the highest scores."""
    scored = [line for line in lines if math.isfinite(line.values.get(name, math.nan))]
    if not _is_score(name) or not scored:
        return None
    line = max(scored, key=lambda line: line.values[name])
    return Best(line.step, line.epoch, line.values[name])


def _epochs(lines: Sequence[MetricsLine], wide: Scale) -> tuple[Tick, ...]:
    """Where each pass over the train split ended; of many, every k-th."""
    ends = [
        (math.floor(line.epoch), line.step)
        for before, line in zip([None, *lines], lines, strict=False)
        if math.floor(line.epoch) > (math.floor(before.epoch) if before else 0)
    ]
    if not ends:
        return ()
    marked = max(1, round(nice_step(ends[-1][0] / EPOCHS)))
    numbered = max(marked, round(nice_step(ends[-1][0] / NUMBERS)), 1)
    return tuple(
        Tick(wide.at(step), str(epoch) if epoch % numbered == 0 else "")
        for epoch, step in ends
        if epoch % marked == 0
    )
