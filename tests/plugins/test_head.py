"""The linear head: ridge regression whose penalty is chosen by leave-one-out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file

from unprompt.embeddings import unit
from unprompt.train import FoldedHead, fit_probe
from unprompt.train.heads import FILE

Double = npt.NDArray[np.float64]


def ridge(features: Double, targets: Double, alpha: float) -> tuple[Double, Double]:
    """Weight (F, D) and bias (D,) of one ridge regression; the bias is not penalised."""
    mean, centre = features.mean(axis=0), targets.mean(axis=0)
    centred = features - mean
    gram = centred.T @ centred + alpha * np.eye(features.shape[1])
    weight: Double = np.linalg.solve(gram, centred.T @ (targets - centre))
    bias: Double = centre - mean @ weight
    return weight, bias


def fit(
    features: npt.NDArray[np.float32], targets: npt.NDArray[np.float32], penalties: Sequence[float]
) -> FoldedHead:
    """The head of a member without `training`."""
    probe = fit_probe(features, targets, penalties)
    return FoldedHead(probe.weight, probe.bias)


def left_out_error(features: Double, targets: Double, alpha: float) -> float:
    """Sum of squared errors, each row predicted by a fit without it."""
    total = 0.0
    for i in range(len(features)):
        keep = np.arange(len(features)) != i
        weight, bias = ridge(features[keep], targets[keep], alpha)
        total += float(((features[i] @ weight + bias - targets[i]) ** 2).sum())
    return total


def test_a_known_linear_map_is_recovered() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(200, 6)) * [1, 10, 0.1, 3, 1, 1] + 5).astype(np.float32)
    weight, bias = rng.normal(size=(6, 4)), rng.normal(size=4)
    targets = (features @ weight + bias).astype(np.float32)
    head = fit(features, targets, [1e-9, 1.0])
    assert head.weight.dtype == head.bias.dtype == np.float32
    np.testing.assert_allclose(head.weight, weight, atol=2e-4)
    np.testing.assert_allclose(head.bias, bias, atol=2e-3)
    np.testing.assert_allclose(head.predict(features), unit(targets), atol=1e-4)


@pytest.mark.parametrize(("noise", "seed"), [(0.05, 0), (0.6, 1), (2.0, 2), (8.0, 3)])
def test_the_penalty_is_the_one_with_the_least_leave_one_out_error(noise: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(14, 9)) * rng.uniform(0.1, 5, size=9) + rng.normal(size=9)
    targets = unit(features @ rng.normal(size=(9, 5)) + noise * rng.normal(size=(14, 5)))
    features = features.astype(np.float32).astype(np.float64)
    penalties = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
    head = fit(features.astype(np.float32), targets, penalties)

    scale = features.std(axis=0)
    standard = (features - features.mean(axis=0)) / scale
    wide = targets.astype(np.float64)
    errors = [left_out_error(standard, wide, penalty * 14) for penalty in penalties]
    alpha = penalties[int(np.argmin(errors))] * 14
    weight, bias = ridge(standard, wide, alpha)
    predicted = features @ head.weight.astype(np.float64) + head.bias
    np.testing.assert_allclose(predicted, standard @ weight + bias, atol=1e-4)
    others = [ridge(standard, wide, penalty * 14) for penalty in penalties if penalty * 14 != alpha]
    assert all(np.abs(predicted - (standard @ w + b)).max() > 1e-3 for w, b in others)


def test_a_feature_that_never_moves_adds_nothing() -> None:
    rng = np.random.default_rng(4)
    moving = rng.normal(size=(30, 3)).astype(np.float32)
    targets = unit(rng.normal(size=(30, 5)))
    constant = np.full((30, 1), 7.5, np.float32)
    with_constant = np.concatenate([moving, constant, np.zeros((30, 1), np.float32)], axis=1)
    head, plain = fit(with_constant, targets, [0.1]), fit(moving, targets, [0.1])
    assert np.isfinite(head.weight).all()
    np.testing.assert_allclose(head.weight[3:], 0, atol=1e-6)
    np.testing.assert_allclose(head.predict(with_constant), plain.predict(moving), atol=1e-5)


def test_scale_and_shift_of_features_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    features = rng.normal(size=(40, 4)).astype(np.float32)
    targets = unit(rng.normal(size=(40, 3)))
    other = features * np.array([8, 0.25, 2, 1], np.float32) + 1
    first, second = fit(features, targets, [0.1, 1]), fit(other, targets, [0.1, 1])
    np.testing.assert_allclose(first.predict(features), second.predict(other), atol=1e-4)


def test_predictions_are_unit_rows() -> None:
    rng = np.random.default_rng(6)
    features = rng.normal(size=(20, 4)).astype(np.float32)
    head = fit(features, unit(rng.normal(size=(20, 6))), [1.0])
    rows = head.predict(features)
    assert rows.shape == (20, 6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert head.predict(features[:0]).shape == (0, 6)


def test_saved_and_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    features = rng.normal(size=(20, 4)).astype(np.float32)
    head = fit(features, unit(rng.normal(size=(20, 6))), [1.0])
    head.save(tmp_path)
    again = FoldedHead.read(tmp_path)
    np.testing.assert_array_equal(again.weight, head.weight)
    np.testing.assert_array_equal(again.bias, head.bias)
    np.testing.assert_array_equal(again.predict(features), head.predict(features))
    state = load_file(
        tmp_path / FILE
    )  # the names and shapes of the 68th-place solution's state dict
    assert {name: value.shape for name, value in state.items()} == {
        "fc.weight": (6, 4),
        "fc.bias": (6,),
    }
