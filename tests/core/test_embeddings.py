"""Unit rows, cosine and the contract of `Embeddings`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unprompt import Batch, DataError, Embeddings, cosine, unit
from unprompt.types import FloatArray

ROWS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


def _embeddings(*ids: str) -> Embeddings:
    rows = np.random.default_rng(len(ids)).normal(size=(len(ids), 5))
    return Embeddings(ids, unit(rows))


@given(ROWS)
def test_unit_rows_have_length_one_or_are_zero(rows: FloatArray) -> None:
    length = np.linalg.norm(unit(rows).astype(np.float64), axis=1)
    zero = ~rows.any(axis=1)
    assert np.array_equal(length == 0, zero)
    assert length[~zero] == pytest.approx(1, abs=1e-6)


@given(ROWS)
def test_unit_twice_is_unit_once(rows: FloatArray) -> None:
    np.testing.assert_allclose(unit(unit(rows)), unit(rows), atol=1e-6)


@given(ROWS, st.floats(1e-3, 1e3))
def test_cosine_ignores_length_and_keeps_its_range(rows: FloatArray, scale: float) -> None:
    rolled = np.roll(rows, 1, axis=1)
    cosines = cosine(rows, rolled)
    assert (np.abs(cosines) <= 1).all()
    np.testing.assert_allclose(cosine(rolled, rows.astype(np.float64) * scale), cosines, atol=1e-6)


@given(ROWS)
def test_unit_of_any_rows_makes_embeddings(rows: FloatArray) -> None:
    ids = tuple(str(i) for i in range(len(rows)))
    assert Embeddings(ids, unit(rows)).dim == rows.shape[1]


def test_unit_of_the_largest_and_the_smallest_floats_is_exact() -> None:
    big, small = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
    expected = np.sqrt(0.5)
    assert unit([[big, big], [small, small]]) == pytest.approx(expected, abs=1e-6)


def test_unit_gives_float32_for_any_type() -> None:
    assert unit([[3, 4]]).dtype == np.float32
    assert unit(np.array([[3, 4]], np.float16)) == pytest.approx(np.array([[0.6, 0.8]]))


def test_unit_of_a_nan_is_not_a_zero_row() -> None:
    assert np.isnan(unit([[np.nan, 1], [np.inf, 1]])).any(axis=1).all()
    with pytest.raises(DataError, match="values that are not finite: 'a'"):
        Embeddings(("a",), unit([[np.nan, 1]]))


def test_unit_of_no_rows_is_no_rows() -> None:
    assert unit(np.empty((0, 384))).shape == (0, 384)


def test_cosine_of_a_zero_row_is_zero() -> None:
    assert cosine([[0, 0], [1, 0]], [[1, 0], [0, 0]]).tolist() == [0, 0]


def test_cosine_of_known_angles() -> None:
    cosines = cosine([[1, 0], [1, 0], [1, 0]], [[2, 0], [1, 1], [-3, 0]])
    assert cosines == pytest.approx([1, np.sqrt(0.5), -1])


def test_cosine_of_different_shapes_names_both_shapes() -> None:
    with pytest.raises(DataError, match=r"\(1, 2\) and \(2, 2\)"):
        cosine([[1, 0]], [[1, 0], [0, 1]])


def test_embeddings_accept_zero_rows() -> None:
    assert len(Embeddings(("a",), np.zeros((1, 3), np.float32))) == 1


@pytest.mark.parametrize(
    ("ids", "rows", "message"),
    [
        (("a",), np.eye(2), "1 ids do not fit rows of shape (2, 2)"),
        (("a", "b"), np.ones(2), "2 ids do not fit rows of shape (2,)"),
        (("a", "b", "a", "a"), np.eye(4), "repeated ids: 'a'"),
        (("a", "b"), [[1, 0], [np.nan, 1]], "values that are not finite: 'b'"),
        (("a", "b"), [[np.inf, 0], [0, 1]], "values that are not finite: 'a'"),
        (("a", "b"), [[1, 0], [1, 1]], "rows are not unit length: 'b'"),
        (("a", "b"), [[1, 0], [1e30, 1e30]], "rows are not unit length: 'b'"),
        (("a", "b"), [[1, 0], [1e-30, 0]], "rows are not unit length: 'b'"),
    ],
)
def test_broken_embeddings_are_refused_by_id(
    ids: tuple[str, ...], rows: object, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        Embeddings(ids, np.asarray(rows, np.float32))
    assert str(caught.value) == message


def test_embeddings_of_doubles_are_refused() -> None:
    with pytest.raises(DataError, match="float32, got float64"):
        Embeddings(("a",), np.eye(1))  # type: ignore[arg-type]  # the point of the test


def test_bfloat16_sized_rounding_counts_as_unit() -> None:
    assert len(Embeddings(("a",), np.array([[1.0004, 0]], np.float32))) == 1


def test_many_bad_ids_are_cut_short() -> None:
    ids = tuple(f"p{i}" for i in range(9))
    with pytest.raises(DataError, match=r"'p0', 'p1', 'p2', 'p3', 'p4' and 4 more$"):
        Embeddings(ids, np.full((9, 2), 2, np.float32))


def test_select_gives_the_order_of_the_ids() -> None:
    embeddings = _embeddings("a", "b", "c")
    selected = embeddings.select(["c", "a"])
    assert selected.ids == ("c", "a")
    assert np.array_equal(selected.rows, embeddings.rows[[2, 0]])


def test_select_names_missing_ids() -> None:
    with pytest.raises(DataError, match=r"^no embedding for 'x', 'y'$"):
        _embeddings("a", "b").select(["x", "a", "y"])


def test_select_of_the_same_id_twice_is_refused() -> None:
    with pytest.raises(DataError, match="repeated ids: 'a'"):
        _embeddings("a", "b").select(["a", "a"])


def test_align_joins_by_id() -> None:
    embeddings = _embeddings("a", "b", "c")
    assert np.array_equal(embeddings.align(["b", "c", "a"]).rows, embeddings.rows[[1, 2, 0]])


@pytest.mark.parametrize(
    ("ids", "message"),
    [(["a"], "unexpected embeddings for 'b'"), (["a", "b", "c"], "no embedding for 'c'")],
)
def test_align_needs_the_same_set(ids: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _embeddings("a", "b").align(ids)


def test_a_zero_row_is_no_answer() -> None:
    rows = np.array([[0, 0], [0.6, -0.8], [0, 0]], np.float32)
    embeddings = Embeddings(("a", "b", "c"), rows)
    assert embeddings.answered.tolist() == [False, True, False]
    assert embeddings.select(["b", "a"]).answered.tolist() == [True, False]


def test_a_batch_that_abstains_has_nothing_but_ids() -> None:
    features = _embeddings("a", "b")
    batch = Batch.abstaining(["a", "b"], 7, features)
    assert batch.embeddings.ids == ("a", "b")
    assert batch.embeddings.rows.shape == (2, 7) and not batch.embeddings.answered.any()
    assert (batch.prompts, batch.evidence) == ((None, None), ((), ()))
    assert batch.features is features
