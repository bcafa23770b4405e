"""Exact search gives what sorting all float64 products gives, whatever the bank and the plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unprompt._compute import linear
from unprompt.bank.search import Neighbours, PreparedRows, Rows, search_exact, small
from unprompt.bank.search.scan import Plan, scan
from unprompt.bank.search.sums import float32_sums
from unprompt.bank.search.tiles import StoredRows
from unprompt.errors import DataError
from unprompt.types import FloatArray

DIMS = 32


@pytest.fixture(params=["all", "shortlist"], autouse=True, scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """What `search_exact` does with a bank of this module, all of which are small."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "shortlist":
            patch.setattr(small, "NUMBERS", 0)
        yield request.param


def unit_rows(count: int, seed: int, dims: int = DIMS) -> FloatArray:
    """Rows around a few centres, of length 1."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(5, dims))
    rows = centres[random.integers(0, 5, count)] + 0.4 * random.normal(size=(count, dims))
    unit: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def by_sorting(queries: FloatArray, rows: Rows, count: int) -> Neighbours:
    """All products in float64, rounded to float32 and sorted; ties by row number.

    numpy's sums may differ from the exact ones in the 53rd bit, which float32's 24 bits hide.
    """
    scores = (queries.astype(np.float64) @ rows.astype(np.float64).T).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return Neighbours(np.take_along_axis(scores, order, 1), order)


def check(got: Neighbours, expected: Neighbours) -> None:
    np.testing.assert_array_equal(got.rows, expected.rows)
    np.testing.assert_array_equal(got.cosines, expected.cosines)
    assert got.cosines.dtype == np.float32
    assert got.rows.dtype == np.int64


def planned(rows: StoredRows, queries: FloatArray, count: int, **changes: object) -> Neighbours:
    import torch

    plan = {"kind": torch.bfloat16, "device": torch.device("cpu"), "threads": 1, "tile_rows": 64}
    return scan(queries, rows, count, Plan(**(plan | changes)))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("stored", ["float16", "float32"])
def test_neighbours_are_those_of_sorting(stored: str) -> None:
    wide = unit_rows(3_000, 1)
    rows: Rows = wide.astype(np.float16) if stored == "float16" else wide
    queries = unit_rows(20, 2)
    expected = by_sorting(queries, rows, 10)
    check(search_exact(queries, [rows], 10), expected)
    check(search_exact(queries, PreparedRows([rows[:700], rows[700:]]), 10), expected)


@pytest.mark.parametrize("kind", ["bfloat16", "float32"])
def test_both_types_of_product_give_the_same(kind: str) -> None:
    import torch

    rows, queries = unit_rows(3_000, 1), unit_rows(20, 2)
    got = planned(StoredRows([rows]), queries, 10, kind=getattr(torch, kind), tile_rows=512)
    check(got, by_sorting(queries, rows, 10))


@pytest.mark.parametrize("onednn", [False, True])
def test_either_library_multiplies_float32(onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if onednn and not linear._has_operation():
        pytest.skip("this PyTorch has no such operation")
    monkeypatch.setattr(linear, "_onednn_is_quicker", lambda: onednn)
    kinds = [torch.profiler.ProfilerActivity.CPU]
    rows, queries = unit_rows(3_000, 1), unit_rows(20, 2)
    with torch.profiler.profile(activities=kinds) as seen:
        got = planned(StoredRows([rows]), queries, 10, kind=torch.float32, tile_rows=1_000)
    check(got, by_sorting(queries, rows, 10))
    calls = {event.key: event.count for event in seen.key_averages()}
    assert calls.get("mkldnn::_linear_pointwise", 0) == (3 if onednn else 0)


@pytest.mark.parametrize("kind", ["bfloat16", "float32"])
def test_factors_stay_whole_where_the_caller_allows_fewer_bits(kind: str) -> None:
    import torch

    onednn = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # torch sets it at import
    before = torch.get_float32_matmul_precision()
    rows, queries = unit_rows(3_000, 1), unit_rows(20, 2)
    torch.set_float32_matmul_precision("medium")
    try:
        with float32_sums(torch.device("cpu")):
            assert onednn.fp32_precision == "ieee"
        got = planned(StoredRows([rows]), queries, 10, kind=getattr(torch, kind))
        assert torch.get_float32_matmul_precision() == "medium"
        assert onednn.fp32_precision == "bf16"
    finally:
        torch.set_float32_matmul_precision(before)
    check(got, by_sorting(queries, rows, 10))


def adversarial_banks() -> dict[str, FloatArray]:
    """Banks whose 16-bit scores say little or nothing of the order."""
    random = np.random.default_rng(3)
    centre = unit_rows(1, 4)
    axis = np.zeros((600, DIMS), np.float32)
    axis[np.arange(600), np.arange(600) % 3] = 1
    near = np.repeat(centre, 600, 0)
    near += (1e-7 * random.integers(-3, 4, near.shape)).astype(np.float32)
    rising = centre * np.linspace(0.5, 1, 600, dtype=np.float32)[:, None]
    return {
        "near ties": near,
        "equal rows": np.repeat(centre, 600, 0),
        "each row twice": np.repeat(unit_rows(300, 5), 2, 0),
        "one axis": axis,
        "ever better": rising,
        "all negative": -rising,
        "zeros": np.zeros((600, DIMS), np.float32),
        "of all lengths": (unit_rows(600, 6) * 10.0 ** random.integers(-30, 4, (600, 1))).astype(
            np.float32
        ),
        "next to nothing": np.full((600, DIMS), 1e-40, np.float32),
        "one large number": np.pad(unit_rows(600, 7)[:, 1:], ((0, 0), (1, 0)), constant_values=900),
    }


@pytest.mark.parametrize("name", adversarial_banks())
@pytest.mark.parametrize("count", [1, 7, 100])
def test_adversarial_bank(name: str, count: int) -> None:
    rows = adversarial_banks()[name]
    queries = np.concatenate(
        [unit_rows(4, 4), -rows[:2], rows[300:302], np.zeros((1, DIMS), np.float32), rows[:1] / 3]
    )
    expected = by_sorting(queries, rows, count)
    check(search_exact(queries, [rows], count), expected)
    for threads, tile_rows in ((1, 64), (2, 256), (1, 1024)):
        got = planned(StoredRows([rows]), queries, count, threads=threads, tile_rows=tile_rows)
        check(got, expected)


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(1, 40),
    cuts=st.lists(st.integers(0, 400), max_size=4),
    tile_rows=st.integers(1, 500),
    threads=st.integers(1, 3),
    distinct=st.integers(1, 60),
    seed=st.integers(0, 1000),
)
def test_result_is_independent_of_how_it_is_made(
    count: int, cuts: list[int], tile_rows: int, threads: int, distinct: int, seed: int
) -> None:
    rows = unit_rows(400, seed)[np.random.default_rng(seed).integers(0, distinct, 400)]
    queries = unit_rows(6, seed + 1)
    expected = by_sorting(queries, rows, count)
    bank = StoredRows(np.split(rows, sorted(cuts)))
    check(planned(bank, queries, count, threads=threads, tile_rows=tile_rows), expected)


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(5)), seed=st.integers(0, 1000))
def test_order_of_shards_only_numbers_the_rows(order: list[int], seed: int) -> None:
    shards = [unit_rows(30 + 10 * number, seed + number) for number in range(5)]
    queries = unit_rows(4, seed + 9)
    before = search_exact(queries, shards, 8)
    after = search_exact(queries, [shards[number] for number in order], 8)
    starts = np.cumsum([0, *(len(shard) for shard in shards)])
    numbers = np.concatenate([np.arange(starts[n], starts[n + 1]) for n in order])
    np.testing.assert_array_equal(numbers[after.rows], before.rows)
    np.testing.assert_array_equal(after.cosines, before.cosines)


def test_a_query_alone_scores_as_among_others() -> None:
    rows, queries = unit_rows(2_000, 1), unit_rows(700, 2)  # more than one group of queries
    together = search_exact(queries, [rows], 5)
    for number in (0, 511, 699):
        alone = search_exact(queries[number : number + 1], [rows], 5)
        np.testing.assert_array_equal(alone.rows[0], together.rows[number])
        np.testing.assert_array_equal(alone.cosines[0], together.cosines[number])


def test_sum_that_float64_rounds_to_half_way() -> None:
    """Rounded twice, all three were 1."""
    half, rest = 2.0**-24, 2.0**-80
    rows = np.array([[1, half, -rest], [1, half, 0], [1, half, rest]], np.float32)
    for sign in (1, -1):
        got = search_exact(np.full((1, 3), sign, np.float32), [rows], 3)
        scores = dict(zip(got.rows[0].tolist(), (sign * got.cosines[0]).tolist(), strict=True))
        assert scores == {0: 1, 1: 1, 2: 1 + 2 * half}


def test_fewer_rows_than_neighbours() -> None:
    rows, queries = unit_rows(3, 1), unit_rows(2, 2)
    check(search_exact(queries, [rows, rows[:0]], 10), by_sorting(queries, rows, 3))


def test_no_queries_and_no_rows() -> None:
    rows = unit_rows(3, 1)
    assert search_exact(rows[:0], [rows], 2).rows.shape == (0, 2)
    assert search_exact(rows, [rows[:0]], 2).rows.shape == (3, 0)


def test_mapped_shards(tmp_path: Path) -> None:
    rows, queries = unit_rows(5_000, 1).astype(np.float16), unit_rows(10, 2)
    shards = []
    for number, part in enumerate(np.split(rows, [1_234, 1_234, 4_000])):
        np.save(tmp_path / f"{number}.npy", part)
        if len(part):
            shards.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    check(search_exact(queries, shards, 10), by_sorting(queries, rows, 10))


def test_stored_rows_are_not_changed() -> None:
    rows, queries = unit_rows(300, 1), unit_rows(3, 2)
    before = rows.copy()
    search_exact(queries, [rows], 3)
    PreparedRows([rows])
    np.testing.assert_array_equal(rows, before)


def test_threads_of_torch_are_given_back() -> None:
    import torch

    before = torch.get_num_threads()
    search_exact(unit_rows(3, 2), [unit_rows(300, 1)], 3)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_row_that_is_not_finite_is_named(value: float) -> None:
    rows = unit_rows(500, 1)
    rows[321, 5] = value
    with pytest.raises(DataError, match=r"^row 321 of the bank is not finite"):
        search_exact(unit_rows(3, 2), [rows[:200], rows[200:]], 3)
    with pytest.raises(DataError, match=r"^row 321 of the bank is not finite"):
        PreparedRows([rows[:200], rows[200:]])


def test_query_that_is_not_finite_is_named() -> None:
    queries = unit_rows(600, 2)
    queries[555, 0] = np.nan
    with pytest.raises(DataError, match=r"^query 555 is not finite"):
        search_exact(queries, [unit_rows(50, 1)], 3)


def test_numbers_too_large_for_the_proof() -> None:
    rows = unit_rows(50, 1)
    with pytest.raises(DataError, match=r"^query 1 is longer than 1,048,576"):
        search_exact(rows[:2] * np.array([[1], [1e7]], np.float32), [rows], 3)
    with pytest.raises(DataError, match=r"^row 0 of the bank is longer than 1,048,576"):
        search_exact(rows[:2], [rows * 1e30], 3)


def test_rows_too_wide_for_the_proof() -> None:
    rows = np.zeros((2, 1 << 22), np.float16)
    with pytest.raises(DataError, match="has rows of 4,194,304 numbers; 2,097,152 can be searched"):
        search_exact(rows[:1].astype(np.float32), [rows], 1)


def test_what_does_not_fit() -> None:
    rows = unit_rows(50, 1)
    with pytest.raises(DataError, match="without shards"):
        search_exact(rows, [], 3)
    with pytest.raises(DataError, match="shard 1: holds float64"):
        search_exact(rows, [rows, rows.astype(np.float64)], 3)  # type: ignore[list-item]  # wrong
    with pytest.raises(DataError, match=r"shard 1: has the shape \(50, 31\)"):
        search_exact(rows, [rows, rows[:, 1:]], 3)
    with pytest.raises(DataError, match="queries of shape"):
        search_exact(rows[:, 1:], [rows], 3)
    with pytest.raises(ValueError, match="0 neighbours"):
        search_exact(rows, [rows], 0)
