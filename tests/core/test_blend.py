"""The blend of several members' predictions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from unprompt import DataError, Embeddings, unit
from unprompt._scoring.blend import blend, check_weights, stack

IDS = tuple(f"p{i:02}" for i in range(40))


def _member(seed: int, ids: tuple[str, ...] = IDS) -> Embeddings:
    return Embeddings(ids, unit(np.random.default_rng(seed).normal(size=(len(ids), 16))))


@pytest.mark.parametrize("scale", [1e-6, 0.5, 3, 1e9])
def test_only_the_ratios_of_weights_matter(scale: float) -> None:
    members, weights = [_member(0), _member(1)], [0.4, 0.1]
    scaled = blend(members, [weight * scale for weight in weights])
    np.testing.assert_allclose(scaled.rows, blend(members, weights).rows, atol=1e-6)


def test_the_order_of_members_does_not_matter() -> None:
    a, b, c = _member(0), _member(1), _member(2)
    forward, backward = blend([a, b, c], [1, 2, 3]), blend([c, b, a], [3, 2, 1])
    np.testing.assert_allclose(forward.rows, backward.rows, atol=1e-6)


def test_all_weight_on_one_member_gives_that_member() -> None:
    a, b = _member(0), _member(1)
    np.testing.assert_allclose(blend([a, b], [0, 1]).rows, b.rows, atol=1e-7)
    np.testing.assert_allclose(blend([b], [0.3]).rows, b.rows, atol=1e-7)


def test_members_that_cancel_out_give_a_zero_row() -> None:
    a = _member(0)
    opposite = Embeddings(a.ids, -a.rows)
    assert not blend([a, opposite], [0.3, 0.3]).rows.any()
    assert not blend([a, a, opposite], [0.1, 0.2, 0.3]).rows.any()  # 0.1 + 0.2 != 0.3 in floats


def test_a_member_with_zero_rows_does_not_change_the_blend() -> None:
    a = _member(0)
    silent = Embeddings(a.ids, np.zeros_like(a.rows))
    np.testing.assert_allclose(blend([silent, a], [5, 1]).rows, a.rows, atol=1e-7)


def test_the_members_that_answer_blend_an_image_by_their_own_weights() -> None:
    """However small their weights are beside those of members that abstain there."""
    a, b, c = (_member(seed).rows.copy() for seed in range(3))
    a[::2] = 0
    members = [Embeddings(IDS, rows) for rows in (a, b, c)]
    for scale in (1.0, 1e-3, 1e-9, 1e-100):
        rows = blend(members, [1.0, 2 * scale, scale]).rows
        np.testing.assert_allclose(rows[::2], unit(2.0 * b + c)[::2], atol=1e-6)
    np.testing.assert_allclose(rows[1::2], a[1::2], atol=1e-6)
    only = blend(members, [1.0, 0.0, 0.0])
    assert only.answered.tolist() == [False, True] * 20


def test_members_are_joined_by_id_not_by_position() -> None:
    a, b = _member(0), _member(1)
    shuffled = b.select([str(name) for name in np.random.default_rng(3).permutation(IDS)])
    assert shuffled.ids != b.ids
    blended = blend([a, shuffled], [1, 2])
    assert blended.ids == a.ids
    np.testing.assert_array_equal(blended.rows, blend([a, b], [1, 2]).rows)


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


def test_a_member_with_other_images_is_refused() -> None:
    with pytest.raises(DataError, match="no embedding for 'p39'"):
        blend([_member(0), _member(1, IDS[:-1])], [1, 1])
    with pytest.raises(DataError, match="unexpected embeddings for 'p39'"):
        blend([_member(0, IDS[:-1]), _member(1)], [1, 1])


def test_members_of_different_dims_are_refused() -> None:
    narrow = Embeddings(IDS, np.eye(len(IDS), dtype=np.float32))
    with pytest.raises(DataError, match=r"different spaces: \[16, 40\]"):
        stack([_member(0), narrow], IDS)


TINY, HUGE = 5e-324, 1.7976931348623157e308


@pytest.mark.parametrize(
    "weights",
    [
        (1e308, 1e308, 1e308),
        (HUGE, HUGE, 1.0),
        (HUGE, TINY, 0.0),
        (TINY, TINY, TINY),
        (TINY, 2 * TINY, 1e-310),
        (0.1, 0.2, 0.3),
    ],
)
def test_shares_are_ratios_of_weights_however_large_or_small(weights: tuple[float, ...]) -> None:
    exact = [Fraction(weight) for weight in weights]
    wanted = [float(weight / sum(exact)) for weight in exact]
    np.testing.assert_allclose(check_weights(weights, 3), wanted, rtol=1e-15, atol=1e-300)


def test_weights_whose_sum_overflows_blend_as_equal_ones() -> None:
    members = [Embeddings(("a",), unit([row])) for row in ([1.0, 0.0], [0.0, 1.0])]
    np.testing.assert_array_equal(
        blend(members, [1.5e308, 1.5e308]).rows, blend(members, [1, 1]).rows
    )
