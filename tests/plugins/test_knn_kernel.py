"""How much a neighbour counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unprompt.bank import PromptBank
from unprompt.embeddings import unit
from unprompt.types import FloatArray
from unprompt_knn.kernel import DoubleArray, Power, Rank, Softmax
from unprompt_knn.options import KnnOptions
from unprompt_knn.ridge import Ridge

SOFTMAX, POWER, RANK = Softmax(), Power(), Rank()
ByCosine = Softmax | Power | Rank
KERNELS: list[ByCosine] = [
    SOFTMAX,
    POWER,
    Softmax(temperature=500.0),
    Power(power=1),
    RANK,
    Rank(decay=7.0, offset=0.0),
]
BEYOND_FLOAT64: list[ByCosine] = [
    Softmax(temperature=1e300),
    Power(power=1e5),
    Power(epsilon=5e-324),
    Rank(decay=1e5),
]


def shares_of(cosines: FloatArray, kernel: ByCosine) -> DoubleArray:
    """Shares by cosines alone: softmax and power look at no key."""
    return kernel.shares(cosines, np.zeros(cosines.shape, np.int64), np.empty((0, 0), np.float32))


def ridge_shares(cosines: FloatArray, keys: FloatArray, penalty: float) -> DoubleArray:
    """Of one query (K,) whose neighbours are all ``keys`` (K, C)."""
    shares = Ridge(penalty=penalty).shares(cosines[None], np.arange(len(keys))[None], keys)
    row: DoubleArray = shares[0]
    return row


cosines = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50)


@pytest.mark.parametrize("kernel", [*KERNELS, *BEYOND_FLOAT64])
@given(values=cosines)
def test_shares_add_up_and_a_nearer_neighbour_never_has_less(
    kernel: ByCosine, values: list[float]
) -> None:
    row = np.array([sorted(values, reverse=True)], np.float32)
    shares = shares_of(row, kernel)
    assert shares.dtype == np.float64
    assert shares.shape == row.shape
    assert np.isfinite(shares).all()
    assert (shares >= 0).all()
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    assert (np.diff(shares[0]) <= 0).all()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("exact", [1.0, np.nextafter(np.float32(1), np.float32(2)), 1.00001])
def test_an_exact_match_is_never_punished(kernel: ByCosine, exact: float) -> None:
    row = np.array([[exact, 0.9, 0.5]], np.float32)
    shares = shares_of(row, kernel)[0]
    assert shares[0] > shares[1] > shares[2] >= 0
    np.testing.assert_array_equal(
        shares, shares_of(np.array([[1, 0.9, 0.5]], np.float32), kernel)[0]
    )


def test_power_is_the_kernel_of_the_68th_place_solution() -> None:
    rng = np.random.default_rng(0)
    row = rng.uniform(0.2, 0.4, size=(7, 100)).astype(np.float32)
    wanted = np.empty((7, 100))
    for i in range(7):  # written out number by number, in Python's float64
        raw = [1.0 / ((1.0 - float(value)) ** 6 + 1e-4) for value in row[i]]
        wanted[i] = [value / sum(raw) for value in raw]
    np.testing.assert_allclose(shares_of(row, POWER), wanted, rtol=1e-12)


def test_softmax_is_the_exponential_of_the_cosine() -> None:
    row = np.array([[0.31, 0.3, 0.25, -0.1]], np.float32)
    raw = np.exp(20.0 * row.astype(np.float64))
    np.testing.assert_allclose(shares_of(row, SOFTMAX), raw / raw.sum(), rtol=1e-12)


def test_each_row_is_its_own() -> None:
    rows = np.random.default_rng(1).uniform(-1, 1, size=(5, 9)).astype(np.float32)
    for kernel in KERNELS:
        together = shares_of(rows, kernel)
        for i in range(5):
            np.testing.assert_array_equal(together[i : i + 1], shares_of(rows[i : i + 1], kernel))


def test_ridge_finds_the_combination_that_made_the_query() -> None:
    rng = np.random.default_rng(3)
    keys = unit(rng.standard_normal((5, 12), dtype=np.float32))
    made = np.array([0.7, 0.0, -0.2, 0.4, 0.0])
    length = np.linalg.norm(made @ keys)
    query = (made @ keys / length).astype(np.float32)
    shares = ridge_shares(keys @ query, keys, 1e-6)
    np.testing.assert_allclose(shares, made / length, atol=1e-4)


def test_ridge_is_the_penalised_least_squares_solution() -> None:
    rng = np.random.default_rng(4)
    keys = unit(rng.standard_normal((9, 6), dtype=np.float32))  # more neighbours than dimensions
    query = unit(rng.standard_normal((1, 6), dtype=np.float32))[0]
    shares = ridge_shares(keys @ query, keys, 0.3)
    # The same problem as one of ordinary least squares, solved by another road.
    tall = np.vstack([keys.T.astype(np.float64), np.sqrt(0.3) * np.eye(9)])
    plain = np.linalg.lstsq(tall, np.concatenate([query, np.zeros(9)]), rcond=None)[0]
    np.testing.assert_allclose(shares, plain, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("threads", [1, 3])
def test_ridge_of_each_query_is_its_own(threads: int) -> None:
    import torch

    rng = np.random.default_rng(7)
    keys = unit(rng.standard_normal((40, 6), dtype=np.float32))
    queries = unit(rng.standard_normal((11, 6), dtype=np.float32))  # no multiple of a block
    rows = rng.integers(0, 40, (11, 9))
    cosines = np.einsum("nkc,nc->nk", keys[rows], queries)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        shares = Ridge(penalty=0.2).shares(cosines, rows, keys)
    finally:
        torch.set_num_threads(before)
    for query, own, row in zip(queries, shares, rows, strict=True):
        np.testing.assert_allclose(own, ridge_shares(keys[row] @ query, keys[row], 0.2), atol=1e-5)


def test_ridge_whose_penalty_is_lost_in_rounding_still_answers() -> None:
    rng = np.random.default_rng(8)
    keys = unit(rng.standard_normal((200, 3), dtype=np.float32))  # of rank 3: the rest is rounding
    query = unit(rng.standard_normal((1, 3), dtype=np.float32))[0]
    system = (keys @ keys.T).astype(np.float64) + 1e-12 * np.eye(200)
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(system)
    assert np.isfinite(ridge_shares(keys @ query, keys, 1e-12)).all()


@pytest.mark.parametrize("penalty", [1e-9, 1e-12, 1e-18, 1e-100])
def test_ridge_of_equal_neighbours_whose_penalty_is_lost_in_rounding(penalty: float) -> None:
    rng = np.random.default_rng(8)
    keys = unit(rng.standard_normal((4, 8), dtype=np.float32))[[0, 1, 1, 2, 3, 3, 3]]
    query = unit(rng.standard_normal((1, 8), dtype=np.float32))[0]
    plain = np.linalg.lstsq(keys.T.astype(np.float64), query, rcond=1e-6)[0]
    cosines = (keys.astype(np.float64) @ query).astype(np.float32)  # as exact search gives them
    np.testing.assert_allclose(ridge_shares(cosines, keys, penalty), plain, atol=1e-3)
    # Such as a frequent prompt's, with a high `count_power`.
    times = np.array([[1, 0.1 / penalty, 0.1 / penalty, 1, 1, 1, 1]])
    rows = np.arange(len(keys))[None]
    counted = Ridge(penalty=0.1).shares(cosines[None], rows, keys, times)[0]
    assert np.abs(counted).max() < 10
    assert counted[1] == pytest.approx(counted[2], abs=1e-3)


def test_ridge_divides_a_share_among_neighbours_that_say_the_same() -> None:
    keys = unit(np.array([[1, 0.2, 0], [1, 0.2, 0], [0.5, -1, 0.3]], np.float32))
    query = unit(np.array([[1, 0, 0]], np.float32))[0]
    twice = ridge_shares(keys @ query, keys, 0.1)
    once = ridge_shares(keys[1:] @ query, keys[1:], 0.05)
    assert twice[0] == pytest.approx(twice[1])
    assert (twice[0] + twice[1]) / twice[2] == pytest.approx(once[0] / once[1], rel=0.2)


def test_ridge_gives_nothing_to_neighbours_that_are_left_out() -> None:
    rng = np.random.default_rng(5)
    keys = unit(rng.standard_normal((7, 6), dtype=np.float32))
    query = unit(rng.standard_normal((1, 6), dtype=np.float32))[0]
    cosines = keys @ query
    inside = np.array([0, 2, 3, 6])
    masked = np.full(7, -np.inf, np.float32)
    masked[inside] = cosines[inside]
    shares = ridge_shares(masked, keys, 0.1)
    alone = ridge_shares(cosines[inside], keys[inside], 0.1)
    np.testing.assert_allclose(shares[inside], alone, atol=1e-12)
    np.testing.assert_array_equal(np.delete(shares, inside), 0)


def test_a_bank_smaller_than_k_gives_all_of_its_rows() -> None:
    rng = np.random.default_rng(2)
    keys, targets = unit(rng.normal(size=(3, 8))), unit(rng.normal(size=(3, 4)))
    bank = PromptBank.of(["a", "b", "c"], targets, keys)
    cosines, rows = bank.search_keys(unit(rng.normal(size=(2, 8))), 100)
    assert cosines.shape == rows.shape == (2, 3)
    assert [sorted(line) for line in rows.tolist()] == [[0, 1, 2], [0, 1, 2]]
    assert (np.diff(cosines, axis=1) <= 0).all()
    np.testing.assert_allclose(shares_of(cosines, SOFTMAX).sum(axis=1), 1)


@pytest.mark.parametrize(
    "kernel",
    [
        {"name": "gauss"},
        {"k": 3},
        {"temperature": 0},
        {"temperature": float("inf")},
        {"name": "power", "power": -1},
        {"name": "power", "power": float("inf")},
        {"name": "power", "epsilon": 0},
        {"name": "power", "epsilon": float("inf")},
        {"name": "ridge", "penalty": 0},
        {"name": "ridge", "penalty": float("inf")},
    ],
)
def test_options_that_make_no_kernel_are_refused(kernel: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        KnnOptions.model_validate({"backbone": {"folder": "x"}, "kernel": kernel})
