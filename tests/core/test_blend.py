"""The blend of members, and its score without touching the embeddings again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unprompt import DataError, Embeddings, cosine, unit
from unprompt._scoring.blend import blend, check_weights, stack
from unprompt._search.objective import GramObjective
from unprompt.types import FloatArray

IDS = tuple(f"p{i:02}" for i in range(40))


def _member(seed: int, ids: tuple[str, ...] = IDS) -> Embeddings:
    return Embeddings(ids, unit(np.random.default_rng(seed).normal(size=(len(ids), 16))))


def _random_stack(seed: int, members: int, rows: int) -> tuple[FloatArray, FloatArray]:
    """Members of shape (M, N, D), some of their rows zero or cancelling, and targets (N, D)."""
    rng = np.random.default_rng(seed)
    predictions = np.stack([unit(rng.normal(size=(rows, 16))) for _ in range(members)])
    predictions[rng.random((members, rows)) < 0.1] = 0
    opposite = rng.random(rows) < 0.2
    predictions[-1, opposite] = -predictions[0, opposite]
    predictions[:, 0] = 0
    return predictions, unit(rng.normal(size=(rows, 16)))


@pytest.mark.parametrize("scale", [1e-6, 0.5, 3, 1e9])
def test_only_the_ratios_of_weights_matter(scale: float) -> None:
    members, weights = [_member(0), _member(1)], [0.4, 0.1]
    scaled = blend(members, [weight * scale for weight in weights])
    np.testing.assert_allclose(scaled.rows, blend(members, weights).rows, atol=1e-6)


def test_the_order_of_members_does_not_matter() -> None:
    a, b, c = _member(0), _member(1), _member(2)
    forth, back = blend([a, b, c], [1, 2, 3]), blend([c, b, a], [3, 2, 1])
    np.testing.assert_allclose(forth.rows, back.rows, atol=1e-6)


def test_all_weight_on_one_member_gives_that_member() -> None:
    a, b = _member(0), _member(1)
    np.testing.assert_allclose(blend([a, b], [0, 1]).rows, b.rows, atol=1e-7)
    np.testing.assert_allclose(blend([b], [0.3]).rows, b.rows, atol=1e-7)


def test_members_that_cancel_out_give_a_zero_row() -> None:
    a = _member(0)
    opposite = Embeddings(a.ids, -a.rows)
    assert not blend([a, opposite], [0.3, 0.3]).rows.any()
    assert not blend([a, a, opposite], [0.1, 0.2, 0.3]).rows.any()  # 0.1 + 0.2 != 0.3 in floats


def test_a_member_that_knows_nothing_leaves_the_others_word() -> None:
    a = _member(0)
    silent = Embeddings(a.ids, np.zeros_like(a.rows))
    np.testing.assert_allclose(blend([silent, a], [5, 1]).rows, a.rows, atol=1e-7)


def test_members_are_joined_by_id_not_by_place() -> None:
    a, b = _member(0), _member(1)
    shuffled = b.select([str(name) for name in np.random.default_rng(3).permutation(IDS)])
    assert shuffled.ids != b.ids
    found = blend([a, shuffled], [1, 2])
    assert found.ids == a.ids
    np.testing.assert_array_equal(found.rows, blend([a, b], [1, 2]).rows)


def test_rows_of_a_blend_are_unit() -> None:
    length = np.linalg.norm(blend([_member(0), _member(1)], [1, 7]).rows, axis=1)
    assert length == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], "1 weights for 2 members"),
        ([1.0, -0.5], "at least 0 and not all 0"),
        ([0.0, 0.0], "at least 0 and not all 0"),
        ([1.0, float("nan")], "at least 0"),
        ([1.0, float("inf")], "at least 0"),
    ],
)
def test_wrong_weights_are_refused(weights: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        blend([_member(0), _member(1)], weights)


def test_no_members_are_refused() -> None:
    with pytest.raises(DataError, match="0 weights for 0 members"):
        blend([], [])


def test_weights_become_shares() -> None:
    assert check_weights([3, 1], 2).tolist() == [0.75, 0.25]


def test_a_member_with_other_images_is_named_by_them() -> None:
    with pytest.raises(DataError, match="no embedding for 'p39'"):
        blend([_member(0), _member(1, IDS[:-1])], [1, 1])
    with pytest.raises(DataError, match="unexpected embeddings for 'p39'"):
        blend([_member(0, IDS[:-1]), _member(1)], [1, 1])


def test_members_of_different_widths_are_refused() -> None:
    narrow = Embeddings(IDS, np.eye(len(IDS), dtype=np.float32))
    with pytest.raises(DataError, match=r"different spaces: \[16, 40\]"):
        stack([_member(0), narrow], IDS)


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.4, 0.5, 0.2], [1, 0, 1], [0, 0, 1]])
@pytest.mark.parametrize("seed", range(3))
def test_gram_objective_equals_the_blend_written_out(seed: int, weights: list[float]) -> None:
    members, targets = _random_stack(seed, 3, 500)
    wide = members.astype(np.float64)
    summed = np.einsum("m,mnd->nd", np.asarray(weights, np.float64), wide)
    length = np.linalg.norm(summed, axis=1)
    dots = np.einsum("nd,nd->n", summed, targets.astype(np.float64))
    expected = np.divide(dots, length, out=np.zeros_like(dots), where=length > 1e-6)
    found = GramObjective.from_predictions(members, targets)
    np.testing.assert_allclose(found.cosines(weights), expected, atol=1e-9)
    assert found(weights) == pytest.approx(expected.mean(), abs=1e-9)


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.4, 0.5, 0.2], [1, 0, 1], [0, 0, 1]])
@pytest.mark.parametrize("seed", range(3))
def test_gram_objective_equals_the_score_of_the_blend(seed: int, weights: list[float]) -> None:
    members, targets = _random_stack(seed, 3, 500)
    ids = tuple(str(i) for i in range(500))
    blended = blend([Embeddings(ids, rows) for rows in members], weights)
    zero = np.flatnonzero(~blended.rows.any(axis=1))
    found = GramObjective.from_predictions(members, targets).cosines(weights)
    # The blend and its targets are float32: a row's cosine is good to about 1e-7.
    np.testing.assert_allclose(found, cosine(blended.rows, targets), atol=2e-7)
    assert (found[zero] == 0).all()
    assert 0 in zero  # nobody knows anything there


def test_rounding_left_by_members_that_cancel_is_no_direction() -> None:
    a, targets = _member(0).rows, _member(1).rows
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
