"""Mean cosine and its bootstrap interval over groups."""

from __future__ import annotations

import json

import numpy as np
import pytest

from unprompt import DataError
from unprompt._scoring.estimate import Estimate, verdict
from unprompt._scoring.intervals import score


def test_mean_is_the_plain_mean_and_lies_in_its_interval() -> None:
    values = np.random.default_rng(0).normal(0.6, 0.1, 300)
    estimate = score(values, [str(i) for i in range(300)], samples=500, seed=0)
    assert estimate.score == pytest.approx(values.mean())
    assert estimate.low < estimate.score < estimate.high


def test_ninety_five_percent_of_intervals_cover_the_true_mean() -> None:
    rng = np.random.default_rng(1)
    groups = [str(i) for i in range(100)]
    estimates = [score(rng.normal(0.5, 0.2, 100), groups, samples=200, seed=i) for i in range(300)]
    covered = np.mean([estimate.low <= 0.5 <= estimate.high for estimate in estimates])
    assert 0.90 <= covered <= 0.99


def test_independent_images_have_the_textbook_interval() -> None:
    values = np.random.default_rng(2).normal(0, 1, 2000)
    estimate = score(values, [str(i) for i in range(2000)], samples=2000, seed=0)
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.1)


def test_images_of_one_group_count_as_one_and_widen_the_interval() -> None:
    values = np.repeat(np.random.default_rng(3).normal(0.5, 0.1, 50), 10)
    alone = score(values, [str(i) for i in range(500)], samples=500, seed=0)
    grouped = score(values, [str(i // 10) for i in range(500)], samples=500, seed=0)
    ratio = (grouped.high - grouped.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.25)
    assert grouped.score == alone.score


def test_the_names_and_the_order_of_groups_do_not_widen_anything() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4])
    assert score(values, ["a", "a", "b", "b"], samples=200, seed=1) == score(
        values, ["x", "x", "y", "y"], samples=200, seed=1
    )


def test_a_seed_repeats_its_interval_and_another_one_does_not() -> None:
    values, groups = np.linspace(0, 1, 50), [str(i) for i in range(50)]
    first = score(values, groups, samples=150, seed=7)
    assert first == score(values, groups, samples=150, seed=7)
    assert first != score(values, groups, samples=150, seed=8)


def test_one_group_has_no_width() -> None:
    estimate = score(np.array([0.2, 0.4]), ["g", "g"], samples=100, seed=0)
    assert (estimate.score, estimate.low, estimate.high) == pytest.approx((0.3, 0.3, 0.3))


def test_no_images_to_score_are_refused() -> None:
    with pytest.raises(DataError, match=r"^no images to score$"):
        score(np.array([]), [], samples=100, seed=0)


def test_a_paired_difference_is_sharper_than_two_intervals() -> None:
    rng = np.random.default_rng(4)
    hard = rng.normal(0.5, 0.2, 400)
    better = hard + 0.02 + rng.normal(0, 0.01, 400)
    groups = [str(i) for i in range(400)]
    first, second = (score(values, groups, samples=400, seed=0) for values in (hard, better))
    paired = score(better - hard, groups, samples=400, seed=0)
    assert first.high > second.low  # apart they overlap
    assert paired.low > 0
    assert paired.score == pytest.approx(second.score - first.score)


def test_an_estimate_is_written_as_json_and_can_be_negated() -> None:
    estimate = Estimate(score=0.77123, ci95=(0.76499, 0.77741))
    content = {"score": 0.77123, "ci95": [0.76499, 0.77741]}
    assert json.loads(estimate.model_dump_json()) == content
    assert estimate.negated().ci95 == (-0.77741, -0.76499)


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
