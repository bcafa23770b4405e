"""Losses against formulas in NumPy, SciPy and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch  # noqa: TID253  # every test here computes with it
from scipy.spatial.distance import cdist
from scipy.special import huber as scipy_huber
from scipy.special import logsumexp
from sklearn.metrics import log_loss

from unprompt.train import losses

RNG = np.random.default_rng(0)
PREDICTED, TARGETS = RNG.normal(size=(6, 5)), RNG.normal(size=(6, 5))
WEIGHTS = np.array([0.0, 2.0, 1.0, 0.5, 1.5, 1.0])  # of mean 1


def tensor(array: object) -> torch.Tensor:
    return torch.tensor(np.asarray(array), dtype=torch.float32)


def cosines() -> np.ndarray:
    distances: np.ndarray = 1 - cdist(PREDICTED, TARGETS, "cosine")
    return distances


def test_cosine_is_scipys_cosine_distance() -> None:
    each = cdist(PREDICTED, TARGETS, "cosine").diagonal()
    got = losses.cosine(tensor(PREDICTED), tensor(TARGETS), tensor(WEIGHTS))
    assert float(got) == pytest.approx(np.average(each, weights=WEIGHTS), abs=1e-6)


def test_angular_is_the_arc_cosine_over_pi() -> None:
    each = np.arccos(cosines().diagonal()) / math.pi
    got = losses.angular(tensor(PREDICTED), tensor(TARGETS), tensor(WEIGHTS))
    assert float(got) == pytest.approx(np.average(each, weights=WEIGHTS), abs=1e-6)


@pytest.mark.parametrize(("sign", "angle"), [(1, 0.0), (-1, 1.0)])
def test_angular_has_a_finite_gradient_where_the_arc_cosine_has_none(
    sign: int, angle: float
) -> None:
    rows = tensor([[3.0, 4.0, 0.0], [0.1, 0.2, 0.3]]).requires_grad_()
    loss = losses.angular(rows, sign * rows.detach().clone(), torch.ones(2))
    (gradient,) = torch.autograd.grad(loss, rows)
    assert float(loss.detach()) == pytest.approx(angle, abs=1e-3)
    assert torch.isfinite(gradient).all()


def test_angular_near_its_target_still_has_a_gradient_of_the_full_length() -> None:
    """The gradient of ``1 - cos`` is the sine of the angle; the angle's own is 1 / pi."""
    row = tensor([[1.0, 1e-3]]).requires_grad_()
    target = tensor([[1.0, 0.0]])
    (by_angle,) = torch.autograd.grad(losses.angular(row, target, torch.ones(1)), row)
    (by_cosine,) = torch.autograd.grad(losses.cosine(row, target, torch.ones(1)), row)
    assert float(by_angle.norm()) == pytest.approx(1 / math.pi, rel=1e-3)
    assert float(by_cosine.norm()) == pytest.approx(1e-3, rel=1e-2)


def test_huber_is_scipys() -> None:
    each = scipy_huber(1.0, PREDICTED - TARGETS).mean(axis=1)
    got = losses.huber(tensor(PREDICTED), tensor(TARGETS), tensor(WEIGHTS))
    assert float(got) == pytest.approx(np.average(each, weights=WEIGHTS), rel=1e-6)


def test_words_is_scikit_learns_log_loss_of_each_word() -> None:
    logits = RNG.normal(size=(4, 3))
    labels = np.array([[1, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 1]])
    chances = 1 / (1 + np.exp(-logits))
    weights = np.array([1.0, 2.0, 0.5, 0.5])
    each = [log_loss(labels[i], chances[i], labels=[0, 1]) for i in range(4)]
    got = losses.words(tensor(logits), tensor(labels), tensor(weights))
    assert float(got) == pytest.approx(np.average(each, weights=weights), rel=1e-5)


def test_contrastive_is_the_cross_entropy_without_equal_prompts() -> None:
    prompts = np.array([0, 1, 2, 0, 3, 0])  # three images of prompt 0
    logits = cosines() / 0.1
    each = []
    for i in range(6):
        others = [j for j in range(6) if prompts[j] != prompts[i]]
        each.append(logsumexp(logits[i, [i, *others]]) - logits[i, i])
    got = losses.contrastive(
        tensor(PREDICTED), tensor(TARGETS), torch.tensor(prompts), tensor(WEIGHTS), 0.1
    )
    assert float(got) == pytest.approx(np.average(each, weights=WEIGHTS), rel=1e-5)


def test_a_batch_of_one_prompt_has_no_contrast() -> None:
    prompts = torch.zeros(6, dtype=torch.int64)
    got = losses.contrastive(tensor(PREDICTED), tensor(TARGETS), prompts, torch.ones(6), 0.1)
    assert float(got) == 0


@pytest.mark.parametrize("name", ["cosine", "angular", "huber"])
def test_the_mean_of_parts_is_the_loss_of_the_batch(name: str) -> None:
    loss = getattr(losses, name)
    whole = loss(tensor(PREDICTED), tensor(TARGETS), tensor(WEIGHTS))
    parts = [
        loss(tensor(PREDICTED[i : i + 2]), tensor(TARGETS[i : i + 2]), tensor(WEIGHTS[i : i + 2]))
        for i in (0, 2, 4)
    ]
    assert float(sum(parts)) / 3 == pytest.approx(float(whole), rel=1e-6)
