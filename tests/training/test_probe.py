"""The linear probe against scikit-learn's Ridge."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from unprompt.embeddings import cosine, unit
from unprompt.errors import DataError
from unprompt.train import probe
from unprompt.train.probe import fit_probe

PENALTIES = (1e-3, 1e-1, 1.0, 30.0)
N, F, D = 60, 9, 5
Array = npt.NDArray[Any]


def data(noise: float = 0.4) -> tuple[Array, Array, Array]:
    """Features, targets, and which are validation images."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, F)) * rng.uniform(0.1, 5, size=F) + rng.normal(size=F)
    targets = unit(features @ rng.normal(size=(F, D)) + noise * rng.normal(size=(N, D)))
    return features.astype(np.float32), targets, rng.random(N) < 0.3


def sklearns(features: Array, targets: Array, penalty: float, weights: Array) -> Any:
    """scikit-learn's, as a function from features to rows."""
    wide = features.astype(np.float64)
    scaler = StandardScaler().fit(wide, sample_weight=weights)
    model = Ridge(alpha=penalty * weights.sum())
    model.fit(scaler.transform(wide), targets.astype(np.float64), sample_weight=weights)
    return lambda rows: model.predict(scaler.transform(rows.astype(np.float64)))


def predicted(fit: probe.Probe, features: Array) -> Array:
    rows: Array = features.astype(np.float64) @ fit.weight + fit.bias
    return rows


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("refit", [False, True])
def test_the_penalty_is_the_best_on_the_validation_images(weighted: bool, refit: bool) -> None:
    features, targets, held = data()
    rng = np.random.default_rng(1)
    weights = rng.uniform(0, 3, size=N).round() if weighted else np.ones(N)
    wanted = {}
    for penalty in PENALTIES:
        model = sklearns(features[~held], targets[~held], penalty, weights[~held])
        each = cosine(model(features[held]), targets[held])
        wanted[penalty] = np.average(each, weights=weights[held])
    fit = fit_probe(
        features,
        targets,
        PENALTIES,
        weights=weights if weighted else None,
        validation=held,
        refit=refit,
    )
    assert fit.scores == pytest.approx(wanted, abs=1e-6)
    assert fit.penalty == max(wanted, key=lambda penalty: wanted[penalty])
    used = np.ones(N, bool) if refit else ~held
    final = sklearns(features[used], targets[used], fit.penalty, weights[used])
    np.testing.assert_allclose(predicted(fit, features), final(features), atol=1e-5)


def test_a_bounded_number_of_rows_at_a_time_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features, targets, held = data()
    whole = fit_probe(features, targets, PENALTIES, validation=held)
    monkeypatch.setattr(probe, "_ROWS", 7)
    parts = fit_probe(features, targets, PENALTIES, validation=held)
    np.testing.assert_allclose(parts.weight, whole.weight, rtol=1e-5, atol=1e-7)
    assert parts.scores == pytest.approx(whole.scores)


def test_images_of_weight_zero_do_not_count_in_leave_one_out() -> None:
    features, targets, _ = data()
    weights = np.ones(N)
    weights[:20] = 0
    wild = features.copy()
    wild[:20] = 1e4
    fit = fit_probe(wild, targets, PENALTIES, weights=weights)
    without = fit_probe(features[20:], targets[20:], PENALTIES)
    assert fit.penalty == without.penalty
    np.testing.assert_array_equal(fit.weight, without.weight)


def test_a_weight_of_two_is_an_image_twice_once_the_penalty_is_chosen() -> None:
    features, targets, _ = data()
    weights = np.ones(N)
    weights[:10] = 2
    twice = np.concatenate([np.arange(N), np.arange(10)])
    fit = fit_probe(features, targets, [0.1], weights=weights)
    other = fit_probe(features[twice], targets[twice], [0.1])
    np.testing.assert_allclose(fit.weight, other.weight, atol=1e-5)
    assert (fit.penalty, dict(fit.scores)) == (0.1, {})


@pytest.mark.parametrize("validation", [False, True])
def test_a_feature_that_never_moves_adds_nothing(validation: bool) -> None:
    features, targets, held = data()
    still = np.full((N, 2), [0.1, 1e6], np.float32)  # whose means have rounding
    fit = fit_probe(
        np.hstack([features, still]), targets, PENALTIES, validation=held if validation else None
    )
    plain = fit_probe(features, targets, PENALTIES, validation=held if validation else None)
    np.testing.assert_allclose(fit.weight[:F], plain.weight, atol=1e-6)
    np.testing.assert_allclose(fit.weight[F:], 0, atol=1e-6)


def test_nothing_to_fit_or_to_choose_by_is_an_error() -> None:
    features, targets, held = data()
    with pytest.raises(DataError, match="no image to fit whose weight is above zero"):
        fit_probe(features, targets, PENALTIES, weights=held, validation=held)
    with pytest.raises(DataError, match="no image to choose the penalty by"):
        fit_probe(features, targets, PENALTIES, weights=~held, validation=held)
    with pytest.raises(DataError, match="needs two images whose weight is above zero"):
        fit_probe(features, targets, PENALTIES, weights=np.arange(N) == 3)
