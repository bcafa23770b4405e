"""Approximate search: a faiss index whose shortlist is scored exactly, with a measured recall."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from tests.full_disk import no_file_above

from unprompt.bank.search import ApproximateIndex, Quality, search_exact
from unprompt.bank.search.filling import refusals
from unprompt.bank.search.tiles import StoredRows
from unprompt.errors import DataError, OutputError
from unprompt.types import FloatArray


def unit_rows(count: int, seed: int) -> FloatArray:
    rows = np.random.default_rng(seed).normal(size=(count, 64))
    unit: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return unit_rows(3_000, 1).astype(np.float16)


@pytest.fixture(scope="module")
def index(rows: np.ndarray) -> ApproximateIndex:
    return ApproximateIndex.build([rows[:1_000], rows[1_000:]], "IVF16,RaBitQ4", count=10)


def test_recall_is_reached_and_scores_are_exact(index: ApproximateIndex, rows: np.ndarray) -> None:
    queries = unit_rows(50, 2)
    got, truth = index.search(queries, 10), search_exact(queries, [rows], 10)
    products = queries.astype(np.float64) @ rows.T.astype(np.float64)
    expected = np.take_along_axis(products.astype(np.float32), got.rows, 1)
    np.testing.assert_array_equal(got.cosines, expected)
    assert index.about.quality.recall >= 0.99
    same = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(got.rows, truth.rows, strict=True)])
    assert same > 0.95  # of queries far from all rows, which are harder than noisy rows


def test_measured_on_a_thousand_queries(index: ApproximateIndex) -> None:
    quality = index.about.quality
    assert (quality.queries, quality.count) == (1_000, 10)
    assert quality.milliseconds > 0
    assert quality.exact_milliseconds > 0
    assert index.about.probes is not None
    assert 1 <= index.about.probes <= 16


def test_saved_and_loaded(index: ApproximateIndex, rows: np.ndarray, tmp_path: Path) -> None:
    about = index.save(tmp_path / "a.faiss")
    assert about.sha256 == hashlib.sha256((tmp_path / "a.faiss").read_bytes()).hexdigest()
    assert about.bytes == (tmp_path / "a.faiss").stat().st_size
    loaded = ApproximateIndex.load(tmp_path / "a.faiss", about, [rows])
    queries = unit_rows(20, 4)
    np.testing.assert_array_equal(loaded.search(queries, 7).rows, index.search(queries, 7).rows)
    assert loaded.about.quality == index.about.quality
    assert [path.name for path in tmp_path.iterdir()] == ["a.faiss"]


def test_a_full_disk(index: ApproximateIndex, tmp_path: Path) -> None:
    refused = pytest.raises(OutputError, match=r"a\.faiss: cannot be written: file too large$")
    with refused, no_file_above(40_000):
        index.save(tmp_path / "a.faiss")
    assert list(tmp_path.iterdir()) == []


def test_low_recall_is_refused_unless_accepted(rows: np.ndarray) -> None:
    index = ApproximateIndex.build([rows], "IVF64,SQ8", count=10, recall=0.0)  # one list searched
    assert index.about.quality.recall < 0.99
    refused = (
        r"^approximate search: index IVF64,SQ8: recall@10 0\.\d+.*; that is below recall 0\.99, "
    )
    with pytest.raises(DataError, match=refused):
        index.search(unit_rows(2, 2), 5)
    lower = index.about.quality.recall
    assert index.search(unit_rows(2, 2), 1, recall=lower).rows.shape == (2, 1)


def test_index_without_lists(rows: np.ndarray) -> None:
    index = ApproximateIndex.build([rows], "Flat", count=5)
    assert index.about.probes is None
    queries = unit_rows(10, 2)
    np.testing.assert_array_equal(
        index.search(queries, 5).rows, search_exact(queries, [rows], 5).rows
    )


@pytest.mark.parametrize("factory", ["HNSW8", "PCA64,HNSW8", "HNSW8,RFlat"])
def test_more_and_more_of_a_graph_is_searched(
    factory: str, rows: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    few = ApproximateIndex.build([rows], factory, count=10, recall=0.0)
    caplog.set_level("INFO", logger="unprompt")
    enough = ApproximateIndex.build([rows], factory, count=10)
    assert few.about.probes is enough.about.probes is None
    assert few.about.beam == 64 < (enough.about.beam or 0) <= len(rows)
    assert few.about.quality.recall < 0.99 <= enough.about.quality.recall
    assert f"index {factory}, a beam of {enough.about.beam:,}: recall@10 " in caplog.text
    about = enough.save(tmp_path / "a.faiss")
    loaded = ApproximateIndex.load(tmp_path / "a.faiss", about, [rows])
    queries = unit_rows(20, 4)
    np.testing.assert_array_equal(loaded.search(queries, 7).rows, enough.search(queries, 7).rows)


def test_recall_counts_what_is_as_near_as_the_last(rows: np.ndarray) -> None:
    from unprompt.bank.search.neighbours import Neighbours
    from unprompt.bank.search.quality import recall

    truth = Neighbours(np.array([[0.9, 0.5]], np.float32), np.array([[1, 2]]))
    tied = Neighbours(np.array([[0.9, 0.5]], np.float32), np.array([[1, 3]]))
    worse = Neighbours(np.array([[0.9, 0.4]], np.float32), np.array([[1, 4]]))
    assert (recall(tied, truth), recall(worse, truth)) == (1.0, 0.5)


@pytest.mark.parametrize("factory", ["nonsense", "IVF4000,Flat", ""])
def test_what_faiss_refuses_is_one_line(factory: str, rows: np.ndarray) -> None:
    with pytest.raises(DataError, match=f"^index '{factory}': faiss refuses it: ") as caught:
        ApproximateIndex.build([rows], factory)
    assert len(caught.value.problems) == 1
    assert ".cpp" not in str(caught.value)


@pytest.mark.parametrize(
    ("factory", "number"),
    [
        ("IVF0,Flat", "IVF0"),
        ("HNSW0", "HNSW0"),
        ("HNSW1", "HNSW1"),
        ("IVF16_HNSW01,Flat", "HNSW01"),
        ("PQ16x0", "x0"),
        ("RR00,Flat", "RR00"),
        ("OPQ16_0,PQ16", "0"),
    ],
)
def test_number_that_would_end_the_process(factory: str, number: str, rows: np.ndarray) -> None:
    with pytest.raises(DataError, match=f"^index '{factory}': '{number}' is too small a number"):
        ApproximateIndex.build([rows], factory)


def test_index_that_is_too_large_is_one_line() -> None:
    refused = r"^index 'HNSW99999999': faiss refuses it: it needs more memory than there is$"
    with pytest.raises(DataError, match=refused), refusals("index 'HNSW99999999'"):
        raise MemoryError("std::bad_alloc")


def test_what_does_not_fit(index: ApproximateIndex) -> None:
    queries = unit_rows(2, 1)
    with pytest.raises(DataError, match=r"queries of shape \(2, 63\) do not fit rows of 64"):
        index.search(queries[:, 1:], 3)
    for kind in ("int32", "float16", "float64", ">f4"):
        with pytest.raises(DataError, match=f"queries hold {kind}, not float32"):
            index.search(queries.astype(kind), 3)
    with pytest.raises(ValueError, match="0 neighbours"):
        index.search(queries, 0)


@pytest.mark.filterwarnings("error")
def test_queries_that_are_read_only(index: ApproximateIndex) -> None:
    queries = unit_rows(2, 1)
    expected = index.search(queries, 3)
    queries.flags.writeable = False
    np.testing.assert_array_equal(index.search(queries, 3).rows, expected.rows)


def test_rows_that_are_not_finite(rows: np.ndarray) -> None:
    bad = rows.copy()
    bad[2_345, 3] = np.nan
    with pytest.raises(DataError, match=r"^row 2345 of the bank is not finite"):
        ApproximateIndex.build([bad], "Flat")


def test_damaged_files(index: ApproximateIndex, rows: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.faiss"
    about = index.save(path)
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole[:100] + bytes([whole[100] ^ 1]) + whole[101:], b""):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.faiss: cut or changed since the index was made"):
            ApproximateIndex.load(path, about, [rows])
    path.unlink()
    with pytest.raises(DataError, match=r"a\.faiss: no such file"):
        ApproximateIndex.load(path, about, [rows])


def test_sizes_that_a_file_only_claims(
    index: ApproximateIndex, rows: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "a.faiss"
    claims = b"IxFI" + (64).to_bytes(4, "little") + (1 << 40).to_bytes(8, "little") + bytes(40)
    path.write_bytes(claims)
    update = {"sha256": hashlib.sha256(claims).hexdigest()}
    with pytest.raises(DataError, match=r"a\.faiss: "):
        ApproximateIndex.load(path, index.about.model_copy(update=update), [rows])


def test_index_of_another_bank(index: ApproximateIndex, rows: np.ndarray, tmp_path: Path) -> None:
    about = index.save(tmp_path / "a.faiss")
    with pytest.raises(DataError, match="of 3000 rows of 64 numbers; the bank has 2999 of 64"):
        ApproximateIndex.load(tmp_path / "a.faiss", about, [rows[1:]])


def test_lists_of_an_index_that_has_none(rows: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.faiss"
    about = ApproximateIndex.build([rows], "Flat", count=5).save(path)
    with pytest.raises(DataError, match=r"a\.faiss: faiss refuses it: 'ivf' failed$"):
        ApproximateIndex.load(path, about.model_copy(update={"probes": 3}), [rows])
    with pytest.raises(DataError, match=r"a\.faiss: faiss refuses it: the index is no graph$"):
        ApproximateIndex.load(path, about.model_copy(update={"beam": 99}), [rows])


def test_queries_with_a_short_list_are_searched_exactly(rows: np.ndarray) -> None:
    index = ApproximateIndex.build([rows], "IVF64,SQ8", count=10, recall=0.0)  # one list searched
    queries = unit_rows(40, 6)
    sizes = (index._index.search(queries, 3_000)[1] >= 0).sum(axis=1)  # of each query's one list
    count = int(np.median(sizes))
    short = sizes < count
    assert 0 < short.sum() < len(queries)
    got, truth = index.search(queries, count, recall=0), search_exact(queries, [rows], count)
    np.testing.assert_array_equal(got.rows[short], truth.rows[short])
    assert all((got.rows[~short] != truth.rows[~short]).any(axis=1))


def test_shortlist_that_is_too_short(index: ApproximateIndex, rows: np.ndarray) -> None:
    from unprompt.bank.search.rescoring import rescored

    shortlists = np.array([[3, 4, 5], [6, -1, -1]])
    with pytest.raises(DataError, match=r"^query 1: the index gives fewer than 2 rows"):
        rescored(unit_rows(2, 1), StoredRows([rows]), shortlists, 2)


def test_quality_in_words() -> None:
    quality = Quality(
        recall=0.98765, count=10, queries=1000, milliseconds=1.5, exact_milliseconds=20
    )
    assert str(quality) == (
        "recall@10 0.9877 on 1000 queries, 1.50 ms a query (exact search of all at once: "
        "20.00 ms a query)"
    )
