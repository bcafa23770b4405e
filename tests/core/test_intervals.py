"""Means with their intervals over groups, and the verdicts that are read off them."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError
from scipy.stats import t as student
from scipy.stats import ttest_1samp, ttest_ind

from unprompt import DataError
from unprompt._scoring.estimate import Estimate, verdict
from unprompt._scoring.intervals import Intervals
from unprompt.types import DoubleArray

Numbers = npt.NDArray[np.intp]
REPEATS = 3000
LEAST = 0.94 - 2 * np.sqrt(0.94 * 0.06 / REPEATS)
"""94 % less two standard errors of the simulation."""


def alone(count: int) -> Intervals:
    return Intervals([str(i) for i in range(count)])


def of(groups: Numbers) -> Intervals:
    return Intervals([str(group) for group in groups])


def zipf_groups(count: int, rng: np.random.Generator) -> Numbers:
    """The group of each image: many groups of one image, few of many."""
    groups: Numbers = np.repeat(np.arange(count), np.minimum(rng.zipf(2.5, count), 60))
    return groups


def images(groups: Numbers, rng: np.random.Generator) -> DoubleArray:
    """What images have in common with their group and what not, both skewed; the mean is 0."""
    common = 0.1 * (1 - rng.gamma(2, 0.5, int(groups.max()) + 1))
    values: DoubleArray = common[groups] + 0.1 * (1 - rng.gamma(2, 0.5, len(groups)))
    return values


@pytest.mark.parametrize("count", [10, 20, 50])
def test_intervals_of_means_cover_the_truth(count: int) -> None:
    rng = np.random.default_rng(count)
    covered = 0
    for _ in range(REPEATS):
        groups = zipf_groups(count, rng)
        estimate = of(groups).mean(images(groups, rng))
        covered += estimate.low <= 0 <= estimate.high
    assert LEAST <= covered / REPEATS <= 0.99


@pytest.mark.parametrize("count", [10, 20, 50])
def test_intervals_of_the_share_of_the_gap_cover_the_truth(count: int) -> None:
    rng = np.random.default_rng(count)
    covered = 0
    for _ in range(REPEATS):
        groups = zipf_groups(count, rng)
        floor, oracle = 0.4 + images(groups, rng), 0.8 + images(groups, rng)
        values = floor + 0.75 * (oracle - floor) + 0.5 * images(groups, rng)
        share = of(groups).gap_closed(values, floor, oracle)
        assert share is not None
        covered += share.low <= 0.75 <= share.high
    assert LEAST <= covered / REPEATS <= 0.99


@pytest.mark.parametrize("count", [10, 20, 50])
def test_intervals_of_two_splits_differences_cover_the_truth(count: int) -> None:
    rng = np.random.default_rng(count)
    covered = 0
    for _ in range(REPEATS):
        groups, others = zipf_groups(count, rng), zipf_groups(count, rng)
        cost = of(groups).minus(0.3 + images(groups, rng), of(others), 0.2 + images(others, rng))
        covered += cost.low <= 0.1 <= cost.high
    assert LEAST <= covered / REPEATS <= 0.99


def test_independent_images_have_students_interval() -> None:
    values = np.random.default_rng(2).normal(0.5, 0.2, 40)
    estimate = alone(40).mean(values)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert estimate.ci95 == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert estimate.score == pytest.approx(values.mean())


def test_groups_of_one_size_are_students_with_one_mean_each() -> None:
    values = np.random.default_rng(3).normal(0.5, 0.1, (12, 5))
    grouped = Intervals([f"g{i // 5}" for i in range(60)]).mean(values.ravel())
    expected = ttest_1samp(values.mean(axis=1), 0).confidence_interval(0.95)
    assert grouped.ci95 == pytest.approx((expected.low, expected.high), rel=1e-9)
    together, apart = grouped.high - grouped.low, alone(60).mean(values.ravel())
    assert together != pytest.approx(apart.high - apart.low, rel=0.01)


def test_two_splits_of_independent_images_have_welchs_interval() -> None:
    rng = np.random.default_rng(4)
    ones, others = rng.normal(0.5, 0.1, 15), rng.normal(0.4, 0.3, 40)
    estimate = alone(15).minus(ones, alone(40), others)
    expected = ttest_ind(ones, others, equal_var=False).confidence_interval(0.95)
    assert estimate.ci95 == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_degrees_of_freedom_are_those_of_the_quadratic_form() -> None:
    sizes = np.array([1, 1, 2, 3, 7, 20])
    total, count = sizes.sum(), len(sizes)
    residual = np.eye(count) - np.outer(sizes, np.ones(count)) / total
    form = residual.T @ np.diag((count - 1) / count / (total - sizes) ** 2.0) @ residual
    product = form @ np.diag(0.95 * sizes + 0.05 * sizes**2)
    freedom = np.trace(product) ** 2 / np.trace(product @ product)
    groups = np.repeat(np.arange(count), sizes)
    values = np.random.default_rng(5).normal(size=total)
    centred = np.bincount(groups, weights=values - values.mean())
    error = np.sqrt(((count - 1) / count * (centred / (total - sizes)) ** 2).sum())
    estimate = of(groups).mean(values)
    half = student.ppf(0.975, freedom) * error
    assert estimate.high - estimate.score == pytest.approx(half, rel=1e-9)


def test_images_of_one_group_count_as_one_and_widen_the_interval() -> None:
    values = np.repeat(np.random.default_rng(3).normal(0.5, 0.1, 50), 10)
    single, grouped = alone(500).mean(values), Intervals([str(i // 10) for i in range(500)])
    ratio = (grouped.mean(values).high - grouped.mean(values).low) / (single.high - single.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.05)
    assert grouped.mean(values).score == single.score


def test_the_names_and_the_order_of_groups_change_nothing() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.5])
    first = Intervals(["a", "a", "b", "b", "c", "d"]).mean(values)
    order = [5, 2, 0, 4, 3, 1]
    names = np.array(["z", "z", "y", "y", "x", "w"])[order].tolist()
    again = Intervals(names).mean(values[order])
    assert again.ci95 == pytest.approx(first.ci95)


@pytest.mark.parametrize("groups", [["g"] * 4, ["g", "g", "g", "h"]])
def test_one_or_two_groups_have_no_interval(groups: list[str]) -> None:
    intervals, values = Intervals(groups), np.array([0.2, 0.4, 0.6, 0.8])
    estimate = intervals.mean(values)
    assert estimate.score == pytest.approx(0.5)
    assert estimate.ci95 is None
    assert estimate.negated().ci95 is None
    share = intervals.gap_closed(values, values - 0.1, values + 0.1)
    assert share is not None
    assert share.score == pytest.approx(0.5)
    assert share.ci95 is None
    assert intervals.minus(values, alone(4), values).ci95 is None
    assert verdict(estimate, 10) == "too few groups to tell"


def test_there_is_no_share_of_no_gap() -> None:
    floor = np.array([0.4, 0.5, 0.6, 0.7])
    assert alone(4).gap_closed(floor + 0.1, floor, floor) is None
    assert alone(4).gap_closed(floor + 0.1, floor, floor - 0.2) is None
    unclear = alone(4).gap_closed(floor, floor, floor + np.array([0.5, -0.4, 0.3, -0.3]))
    assert unclear is not None
    assert (unclear.score, unclear.ci95) == (0.0, None)


def test_no_images_to_score_are_refused() -> None:
    with pytest.raises(DataError, match=r"^no images to score$"):
        Intervals([]).mean(np.array([]))


def test_a_paired_difference_is_sharper_than_two_intervals() -> None:
    rng = np.random.default_rng(4)
    hard = rng.normal(0.5, 0.2, 400)
    better = hard + 0.02 + rng.normal(0, 0.01, 400)
    first, second = alone(400).mean(hard), alone(400).mean(better)
    paired = alone(400).mean(better - hard)
    assert first.high > second.low  # apart they overlap
    assert paired.low > 0
    assert paired.score == pytest.approx(second.score - first.score)


def test_equal_values_have_an_interval_of_their_own_width() -> None:
    assert alone(5).mean(np.zeros(5)).ci95 == (0.0, 0.0)
    assert alone(5).minus(np.ones(5), alone(5), np.zeros(5)).ci95 == (1.0, 1.0)


def test_an_interval_of_cosines_ends_where_cosines_do() -> None:
    values = np.array([0.9, 1.0, 1.0, 1.0])
    assert alone(4).mean(values).high > 1
    assert alone(4).mean_cosine(values).ci95 == (alone(4).mean(values).low, 1.0)
    assert alone(4).mean_cosine(-values).low == -1


@pytest.mark.parametrize("values", [[1.01, 1.02, 1.03, 1.04], [0.99, 1.02, 1.02, 1.02]])
def test_an_interval_holds_a_mean_that_is_beyond_cosines(values: list[float]) -> None:
    """An oracle's mean is an estimate."""
    estimate = alone(4).mean_cosine(np.array(values))
    assert estimate.score == pytest.approx(np.mean(values))
    assert estimate.low == pytest.approx(alone(4).mean(np.array(values)).low)
    assert estimate.high == estimate.score > 1


def test_an_estimate_is_written_as_json_and_can_be_negated() -> None:
    estimate = Estimate(score=0.77123, ci95=(0.76499, 0.77741))
    content = {"score": 0.77123, "ci95": [0.76499, 0.77741]}
    assert json.loads(estimate.model_dump_json()) == content
    assert estimate.negated().ci95 == (-0.77741, -0.76499)
    with pytest.raises(ValidationError, match="wrong order"):
        Estimate(score=0.1, ci95=(0.2, 0.1))


@pytest.mark.parametrize(
    ("ci95", "groups", "words"),
    [
        ((0.001, 0.3), 10, "better"),
        ((-0.3, -0.001), 10, "worse"),
        ((-0.001, 0.3), 10, "no clear difference"),
        ((0.0, 0.3), 10, "no clear difference"),
        ((0.1, 0.3), 9, "too few groups to tell"),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side_of_zero(
    ci95: tuple[float, float], groups: int, words: str
) -> None:
    assert verdict(Estimate(score=sum(ci95) / 2, ci95=ci95), groups) == words
