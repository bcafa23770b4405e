"""The score of a blend from Gram matrices, without the embeddings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unprompt import Embeddings, cosine, unit
from unprompt._scoring.blend import blend
from unprompt._search.objective import GramObjective
from unprompt._search.polish import value_and_gradient
from unprompt.types import FloatArray


def _random_stack(seed: int, members: int, rows: int) -> tuple[FloatArray, FloatArray]:
    """Members of shape (M, N, D), some of their rows zero or cancelling, and targets (N, D)."""
    rng = np.random.default_rng(seed)
    predictions = np.stack([unit(rng.normal(size=(rows, 16))) for _ in range(members)])
    predictions[rng.random((members, rows)) < 0.1] = 0
    opposite = rng.random(rows) < 0.2
    predictions[-1, opposite] = -predictions[0, opposite]
    predictions[:, 0] = 0
    return predictions, unit(rng.normal(size=(rows, 16)))


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.4, 0.5, 0.2], [1, 0, 1], [0, 0, 1]])
@pytest.mark.parametrize("seed", range(3))
def test_gram_objective_equals_the_blend_written_out(seed: int, weights: list[float]) -> None:
    members, targets = _random_stack(seed, 3, 500)
    doubles = members.astype(np.float64)
    summed = np.einsum("m,mnd->nd", np.asarray(weights, np.float64), doubles)
    length = np.linalg.norm(summed, axis=1)
    dots = np.einsum("nd,nd->n", summed, targets.astype(np.float64))
    expected = np.divide(dots, length, out=np.zeros_like(dots), where=length > 1e-6)
    objective = GramObjective.from_predictions(members, targets)
    np.testing.assert_allclose(objective.cosines(weights), expected, atol=1e-9)
    assert objective(weights) == pytest.approx(expected.mean(), abs=1e-9)


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.4, 0.5, 0.2], [1, 0, 1], [0, 0, 1]])
@pytest.mark.parametrize("seed", range(3))
def test_gram_objective_equals_the_score_of_the_blend(seed: int, weights: list[float]) -> None:
    members, targets = _random_stack(seed, 3, 500)
    ids = tuple(str(i) for i in range(500))
    blended = blend([Embeddings(ids, rows) for rows in members], weights)
    zero = np.flatnonzero(~blended.rows.any(axis=1))
    cosines = GramObjective.from_predictions(members, targets).cosines(weights)
    # The blend and its targets are float32: a row's cosine is good to about 1e-7.
    np.testing.assert_allclose(cosines, cosine(blended.rows, targets), atol=2e-7)
    assert (cosines[zero] == 0).all()
    assert 0 in zero  # nobody knows anything there


def test_rounding_errors_of_members_that_cancel_score_zero() -> None:
    rng = np.random.default_rng(0)
    a, targets = unit(rng.normal(size=(40, 16))), unit(rng.normal(size=(40, 16)))
    objective = GramObjective.from_predictions(np.stack([a, a, -a]), targets)
    assert not objective.cosines([0.1, 0.2, 0.3]).any()  # 0.1 + 0.2 != 0.3 in floats
    assert not objective.cosines([1e8, 2e8, 3e8 + 1]).any()
    assert objective.cosines([0.1, 0.2, 0.2]).all()


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=4),
)
def test_a_score_is_a_cosine(seed: int, weights: list[float]) -> None:
    members, targets = _random_stack(seed, len(weights), 5)
    score = GramObjective.from_predictions(members, targets)(weights)
    assert -1 - 1e-6 <= score <= 1 + 1e-6


def test_all_zero_weights_score_zero() -> None:
    members, targets = _random_stack(0, 2, 10)
    assert GramObjective.from_predictions(members, targets)([0, 0]) == 0


ABSTAINING = [[1, 1, 1], [1, 2e-9, 1e-9], [1e-9, 1, 0], [0, 0, 1], [1, -0.5, -1e-9], [0, 0, 0]]


@pytest.mark.parametrize("weights", ABSTAINING)
def test_an_image_is_scored_by_those_who_answer(weights: list[float]) -> None:
    """Their weights blend it, however small they are beside those of members that abstain."""
    rng = np.random.default_rng(7)
    members = np.stack([unit(rng.normal(size=(400, 16))) for _ in range(3)])
    answered = rng.random((3, 400)) < 0.5
    members[~answered] = 0
    targets = unit(rng.normal(size=(400, 16)))
    expected = np.zeros(400)
    for n in range(400):
        used = [m for m in range(3) if answered[m, n] and weights[m]]
        if not used:
            continue
        largest = max(abs(weights[m]) for m in used)
        row = sum(weights[m] / largest * members[m, n].astype(np.float64) for m in used)
        target = targets[n].astype(np.float64)
        expected[n] = row @ target / np.linalg.norm(row) / np.linalg.norm(target)
    objective = GramObjective.from_predictions(members, targets)
    np.testing.assert_allclose(objective.cosines(weights), expected, atol=2e-7)
    assert (~answered).all(axis=0).sum() > 20 and (expected != 0).any() == any(weights)


@pytest.mark.parametrize("weights", ABSTAINING[:3])
def test_the_gradient_is_right_where_members_abstain(weights: list[float]) -> None:
    rng = np.random.default_rng(8)
    members = np.stack([unit(rng.normal(size=(300, 16))) for _ in range(3)])
    members[rng.random((3, 300)) < 0.5] = 0
    objective = GramObjective.from_predictions(members, unit(rng.normal(size=(300, 16))))
    value, gradient = value_and_gradient(objective, weights)
    assert value == pytest.approx(objective(weights), abs=1e-12)
    for m, weight in enumerate(weights):
        if not weight:
            continue
        step = 1e-4 * weight
        up, down = ([*weights[:m], weight + s, *weights[m + 1 :]] for s in (step, -step))
        slope = (objective(up) - objective(down)) / (2 * step)
        assert gradient[m] == pytest.approx(slope, rel=1e-4, abs=1e-4 * abs(gradient).max() * 1e-3)
