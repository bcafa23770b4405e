"""Exact search of rows wherever in memory they lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from unprompt.bank.search import Neighbours, PreparedRows, search_exact, small
from unprompt.types import FloatArray


@pytest.fixture(params=["all", "shortlist"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `search_exact` does with a bank of this module, all of which are small."""
    if request.param == "shortlist":
        monkeypatch.setattr(small, "NUMBERS", 0)
    yield


def unit_rows(count: int, seed: int) -> FloatArray:
    rows = np.random.default_rng(seed).normal(size=(count, 32))
    unit: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def check(got: Neighbours, queries: FloatArray, rows: FloatArray) -> None:
    """Compare with sorting all float64 products."""
    scores = (queries.astype(np.float64) @ rows.astype(np.float64).T).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : got.rows.shape[1]]
    np.testing.assert_array_equal(got.rows, order)
    np.testing.assert_array_equal(got.cosines, np.take_along_axis(scores, order, 1))


def test_rows_of_any_strides() -> None:
    rows, queries = unit_rows(700, 1), unit_rows(4, 2)
    single = [rows[number : number + 1][::-1] for number in range(len(rows))]
    assert single[0].strides[0] < 0 and single[0].flags.c_contiguous
    for shards in (single, [rows[::-1][::-1]], [np.asfortranarray(rows)], [rows.repeat(2, 0)[::2]]):
        check(search_exact(queries, shards, 5), queries, rows)
        check(search_exact(queries[::-1][::-1], PreparedRows(shards), 5), queries, rows)


def test_what_was_written_to_a_private_map_is_kept(tmp_path: Path) -> None:
    """An array of it that is read-only was taken for a read-only map, and its pages dropped."""
    rows, queries = unit_rows(3_000, 1), unit_rows(4, 2)
    np.save(tmp_path / "a.npy", rows)
    private = np.load(tmp_path / "a.npy", mmap_mode="c")
    private[:] = -rows
    private.flags.writeable = False
    check(search_exact(queries, [private], 5), queries, -rows)
    np.testing.assert_array_equal(private, -rows)
