"""Numbers as the report writes them, axes with round ticks, and the trials of a study placed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unprompt._report.history import HEIGHT, history_chart
from unprompt._report.numbers import count, duration, fixed, interval, percent, plural, signed
from unprompt._report.scales import Scale
from unprompt._scoring.estimate import Estimate

ESTIMATE = Estimate(score=0.5, ci95=(-0.4, 0.6))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (fixed(0.71236), "0.7124"),
        (fixed(-0.00001), "0.0000"),
        (fixed(-0.5, 1), "\N{MINUS SIGN}0.5"),
        (signed(0.01), "+0.0100"),
        (signed(0.00001), "0.0000"),
        (percent(-0.152), "\N{MINUS SIGN}15.2\N{NO-BREAK SPACE}%"),
        (count(4800), "4\N{NARROW NO-BREAK SPACE}800"),
        (duration(0.5), "500\N{NO-BREAK SPACE}ms"),
        (duration(0.96), "1.0\N{NO-BREAK SPACE}s"),
        (duration(59.94), "59.9\N{NO-BREAK SPACE}s"),
        (duration(200), "3\N{NO-BREAK SPACE}min\N{NO-BREAK SPACE}20\N{NO-BREAK SPACE}s"),
        (duration(7500), "2\N{NO-BREAK SPACE}h\N{NO-BREAK SPACE}05\N{NO-BREAK SPACE}min"),
        (plural(1, "image"), "1 image"),
        (plural(1000, "image"), "1\N{NARROW NO-BREAK SPACE}000 images"),
        (interval(ESTIMATE), "[\N{MINUS SIGN}0.4000, 0.6000]"),
        (interval(ESTIMATE, "signed"), "[\N{MINUS SIGN}0.4000, +0.6000]"),
        (interval(ESTIMATE, "percent"), "[\N{MINUS SIGN}40.0, 60.0]\N{NO-BREAK SPACE}%"),
    ],
)
def test_numbers_are_written(written: str, text: str) -> None:
    assert written == text


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_every_value_and_tick_lies_on_the_axis(values: list[float]) -> None:
    scale = Scale.over(values, 10.0, 90.0)
    assert all(10.0 <= scale.at(value) <= 90.0 for value in values)
    ticks = scale.ticks()
    assert 1 <= len(ticks) <= 7
    for tick in ticks:
        assert 10.0 <= tick.at <= 90.0
        assert scale.at(float(tick.label.replace("\N{MINUS SIGN}", "-"))) == tick.at
    assert len({tick.label for tick in ticks}) == len(ticks)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60))
def test_every_trial_is_drawn(values: list[float]) -> None:
    placed = history_chart(values)
    assert len(placed.dots) + len(placed.below) == placed.trials == len(values)
    assert placed.best in placed.dots
    assert placed.best[1] == min(y for _, y in placed.dots)
    heights = [float(point.partition(",")[2]) for point in placed.line.split()]
    assert heights == sorted(heights, reverse=True)
    assert all(0 <= y <= HEIGHT for y in heights)
    assert heights[-1] == placed.best[1]


def test_members_alone_do_not_squeeze_the_others() -> None:
    placed = history_chart([0.8, 0.2, 0.3, *(0.80 + i * 1e-4 for i in range(50))])
    assert 0.7 < float(placed.least) < 0.8
    assert len(placed.below) == placed.hidden == 2


@pytest.mark.parametrize("step", [1e-2, 1e-4, 1e-6])
def test_as_many_trials_lie_below_the_edge_as_its_text_says(step: float) -> None:
    values = [0.8 - abs(i - 100) ** 1.5 * step / 100 for i in range(200)]
    placed = history_chart(values)
    assert placed.hidden == sum(value < float(placed.least) for value in values) > 0


def test_of_many_trials_some_are_drawn() -> None:
    placed = history_chart([0.5 + i * 1e-5 for i in range(5000)])
    assert placed.every == 3
    assert len(placed.dots) + len(placed.below) == 1667  # 0, 3, ... 4998
