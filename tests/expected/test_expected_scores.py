"""Expected scores on simulated images whose true expectation is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_predict

from unprompt._scoring.expected import FEWEST_IMAGES, ExpectedModel, fit_expected

Split = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]
"""Features, cosines, and their true expectation."""


def simulated(seed: int, count: int = 600, slope: float = 0.04) -> Split:
    """Cosines of mean 0.7 that follow one of two features, and noise of deviation 0.05."""
    rng = np.random.default_rng(seed)
    known, idle = rng.normal(3, 2, count), rng.normal(size=count)
    expectation = 0.7 + slope * (known - 3) / 2
    cosines = expectation + rng.normal(0, 0.05, count)
    return {"agreement": known, "idle": idle}, cosines, expectation


def groups(count: int) -> list[str]:
    return [f"g{i // 2}" for i in range(count)]


def fitted(split: Split) -> ExpectedModel:
    features, cosines, _ = split
    model = fit_expected(features, cosines, groups(len(cosines)))
    assert model is not None
    return model


def test_it_finds_the_true_expectation() -> None:
    model = fitted(simulated(0))
    features, _, expectation = simulated(1)
    scores = model.expected(features, 600)
    assert scores.score == pytest.approx(expectation, abs=0.025)
    assert np.abs(scores.score - expectation).mean() < 0.005
    assert model.terms["agreement"].slope == pytest.approx(0.04, abs=0.006)
    assert model.terms["idle"].slope == pytest.approx(0, abs=0.006)


def test_mean_and_deciles_hold_and_the_interval_covers_new_images() -> None:
    """Over 30 pairs of splits, against the sampling error of each: deviation 0.05, 60 images."""
    inside, worst, biases = [], [], []
    for seed in range(30):
        model = fitted(simulated(2 * seed))
        features, cosines, _ = simulated(2 * seed + 1)
        scores = model.expected(features, 600)
        inside.append(((scores.low <= cosines) & (cosines <= scores.high)).mean())
        order = np.array_split(np.argsort(scores.score), 10)
        worst.append(max(abs(scores.score[i].mean() - cosines[i].mean()) for i in order))
        biases.append(scores.score.mean() - cosines.mean())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.01)
    assert np.mean(np.array(worst) <= 0.02) >= 0.8
    assert np.mean(biases) == pytest.approx(0, abs=0.0025)  # standard error 0.0005


def test_outside_the_fold_it_is_right_on_average_whatever_the_penalty() -> None:
    features, cosines, _ = simulated(3, count=200)
    model = fitted((features, cosines, cosines))
    table = np.column_stack([(v - v.mean()) / v.std() for v in features.values()])
    outside = {
        penalty: cross_val_predict(
            Ridge(alpha=penalty), table, cosines, groups=groups(200), cv=GroupKFold(10)
        )
        for penalty in (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
    }
    best = min(outside.values(), key=lambda values: float(((values - cosines) ** 2).sum()))
    slope, _ = np.polyfit(best, cosines, 1)
    assert model.mean == pytest.approx(cosines.mean())
    assert model.most - model.least == pytest.approx(slope * (best.max() - best.min()), rel=1e-6)
    assert model.expected(features, 200).score.mean() == pytest.approx(cosines.mean(), abs=1e-3)


def test_it_is_monotone_and_stays_within_what_occurred() -> None:
    model = fitted(simulated(4))
    values = np.linspace(-1e6, 1e6, 101)
    scores = model.expected({"agreement": values}, 101)
    assert (np.diff(scores.score) >= 0).all()
    assert scores.score[0] == model.least
    assert scores.score[-1] == model.most
    assert ((scores.low >= -1) & (scores.high <= 1) & (scores.low <= scores.score)).all()


def test_a_feature_that_an_image_lacks_counts_as_usual() -> None:
    model = fitted(simulated(5))
    features, _, _ = simulated(6, count=3)
    features["idle"][1] = np.nan
    mean = np.full(3, model.terms["idle"].mean)
    usual = model.expected({"agreement": features["agreement"], "idle": mean}, 3)
    assert model.expected(features, 3).score[1] == usual.score[1]
    without = model.expected({"agreement": features["agreement"]}, 3)
    assert without.score == pytest.approx(usual.score)


def test_without_a_feature_that_says_anything_it_is_the_mean() -> None:
    rng = np.random.default_rng(7)
    cosines = rng.normal(0.5, 0.1, 100)
    lacking = np.full(100, np.nan)
    lacking[:50] = rng.normal(size=50)
    for features in ({}, {"same": np.full(100, 0.3)}, {"half of them lack it": lacking}):
        model = fit_expected(features, cosines, groups(100))
        assert model is not None
        assert model.terms == {}
        assert model.expected({}, 2).score == pytest.approx(cosines.mean())
        ordered = np.sort(cosines)  # of 101, 5 % are the lowest five
        assert model.expected({}, 1).low[0] == pytest.approx(ordered[4])
        assert model.expected({}, 1).high[0] == pytest.approx(ordered[-5])


def test_noise_is_not_learned() -> None:
    spread = []
    for seed in range(20):
        features, cosines, _ = simulated(100 + seed, slope=0.0)
        model = fit_expected(features, cosines, groups(600))
        assert model is not None
        spread.append(model.expected(features, 600).score.std())
    assert np.median(spread) < 0.002  # where 0.05 is the deviation of the cosines


@pytest.mark.parametrize(
    ("count", "per_group"), [(FEWEST_IMAGES - 1, 1), (200, 25)], ids=["images", "groups"]
)
def test_too_few_teach_nothing(count: int, per_group: int) -> None:
    features, cosines, _ = simulated(8, count=count)
    few = [f"g{i // per_group}" for i in range(count)]
    assert fit_expected(features, cosines, few) is None
