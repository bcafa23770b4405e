"""The search: every trial's value, the best so far, and which parameters mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unprompt.report.numbers import mapping, number
from unprompt.report.scales import Scale, Tick
from unprompt.report.source import Run
from unprompt.search.storages import masked
from unprompt.types import Json

HEIGHT = 220.0
"""Pixels of the history."""
DOTS = 2000
"""Trials that are drawn; of more, every k-th."""
MAY_HIDE, ALWAYS_SHOWN = 0.1, 0.6
"""Shares of the trials: members alone are far below all others, which they would squeeze."""


@dataclass(frozen=True, slots=True)
class History:
    """The trials of a study, placed.

    Attributes:
        dots: Percent across and pixels down of each trial that is drawn.
        below: Percent across of those that lie below the chart.
        line: The best value so far, as points of an SVG polyline that is 100 wide.
        across: Ticks of the trials' numbers.
        up: Ticks of their values.
        best: Place of the best trial.
        least: The value at the lower edge.
        finished: Trials with a value.
        failed: Trials without one.
        every: Each how-manieth trial is drawn.
    """

    dots: tuple[tuple[float, float], ...]
    below: tuple[float, ...]
    line: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    best: tuple[float, float]
    least: float
    finished: int
    failed: int
    every: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A labelled share of the longest bar, in percent.

    Attributes:
        label: What it is of.
        value: The number itself.
        width: Percent of the longest.
    """

    label: str
    value: float
    width: float


@dataclass(frozen=True, slots=True)
class Search:
    """The section.

    Attributes:
        facts: Name and value of what is known of the study.
        polish: ``score``, ``gain`` and ``distance`` of the polish, each may be None; None: no
            polish.
        dropped: Members that the search left out.
        history: None where the run does not hold it.
        importances: Of the parameters, largest first.
        journal: Whether the study lies in the run's folder.
    """

    facts: Mapping[str, Json]
    polish: Mapping[str, float | None] | None
    dropped: tuple[str, ...]
    history: History | None
    importances: tuple[Bar, ...]
    journal: bool


def search(run: Run) -> Search | None:
    """Read what the run holds of its study; None where that is nothing."""
    said = run.part("search")
    if not any(run.part(name) for name in ("search", "history", "importances")):
        return None
    polish = mapping(said.get("polish"))
    facts = {key: said[key] for key in ("sampler", "study", "storage") if said.get(key)}
    if "storage" in facts:
        facts["storage"] = masked(str(facts["storage"]))
    return Search(
        facts=facts | _numbers(said),
        polish={key: number(polish.get(key)) for key in ("score", "gain", "distance")}
        if polish
        else None,
        dropped=tuple(map(str, said.get("dropped") or ())),
        history=history(run.part("history").get("values") or ()),
        importances=bars(run.part("importances")),
        journal=(run.folder / "study.journal").is_file(),
    )


def _numbers(said: Mapping[str, Json]) -> dict[str, Json]:
    keys = ("trials", "best_trial", "best_value")
    return {key: found for key in keys if (found := number(said.get(key))) is not None}


def bars(values: Mapping[str, Json], most: int | None = None) -> tuple[Bar, ...]:
    """Bars of the numbers among ``values``, longest first, at most ``most``."""
    found = [
        (str(name), one) for name, entry in values.items() if (one := number(entry)) is not None
    ]
    found.sort(key=lambda pair: -pair[1])
    longest = max((value for _, value in found), default=0.0) or 1.0
    return tuple(
        Bar(name, value, round(100 * max(value, 0.0) / longest, 2)) for name, value in found[:most]
    )


def history(values: Sequence[Json]) -> History | None:
    """Place the trials; None where none has a value.

    Args:
        values: One per trial, in the order of their numbers; null where a trial failed.
    """
    found = [(i, one) for i, value in enumerate(values) if (one := number(value)) is not None]
    if not found:
        return None
    ordered = sorted(value for _, value in found)
    down = Scale.over([_least(ordered), ordered[-1]], HEIGHT, 0.0, pad=0.08)
    wide = Scale(-0.5, max(len(values) - 0.5, 0.5))
    every = -(-len(found) // DOTS)
    drawn = found[::every]
    best = max(found, key=lambda pair: (pair[1], -pair[0]))
    return History(
        dots=tuple((wide.at(i), down.at(value)) for i, value in drawn if value >= down.low),
        below=tuple(wide.at(i) for i, value in drawn if value < down.low),
        line=_steps(found, wide, down, len(values) - 1),
        across=tuple(tick for tick in wide.ticks() if "." not in tick.label),
        up=tuple(down.ticks(6)),
        best=(wide.at(best[0]), down.at(best[1])),
        least=down.low,
        finished=len(found),
        failed=len(values) - len(found),
        every=every,
    )


def _least(ordered: Sequence[float]) -> float:
    """The lowest value that the chart has to show, of values in ascending order."""
    last = len(ordered) - 1
    low, usual = ordered[int(MAY_HIDE * last)], ordered[int((1 - ALWAYS_SHOWN) * last)]
    spread = ordered[-1] - usual
    return max(low, usual - 2 * spread) if spread > 0 else low


def _steps(found: Sequence[tuple[int, float]], wide: Scale, down: Scale, last: int) -> str:
    """The running best as a staircase that begins where it comes onto the chart."""
    points: list[str] = []
    best, y = -2.0, 0.0
    for i, value in found:
        if value <= best:
            continue
        if points:
            points.append(f"{wide.at(i)},{y}")
        best, y = value, down.at(value)
        if value >= down.low:
            points.append(f"{wide.at(i)},{y}")
    return " ".join([*points, f"{wide.at(last)},{y}"])
