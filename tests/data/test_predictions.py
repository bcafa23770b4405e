"""Predictions on disk: every format keeps ids and values, and broken files are named."""

import csv
import io
import json
import random
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unprompt._data.predictions import FORMATS, format_of, read_predictions, write_predictions
from unprompt.contracts import Batch, Evidence
from unprompt.embeddings import Embeddings, unit
from unprompt.errors import DataError, OutputError

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "kaggle-sample"
REASONS = (
    Evidence("a cat, with a 'hat'", 0.75, "neighbour"),
    Evidence("ein Hut für", -0.1, "nearest"),
)


def batch(ids: tuple[str, ...], rows: np.ndarray) -> Batch:
    count = len(ids)
    prompts = tuple("a cat" if i % 2 else None for i in range(count))
    evidence = tuple(REASONS if i % 2 else () for i in range(count))
    return Batch(Embeddings(ids, unit(rows)), prompts, evidence)


def three() -> Batch:
    return batch(("b_1", "a", "x/ü"), np.random.default_rng(0).standard_normal((3, 4)))


def broken(path: Path) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    for problem in caught.value.problems:
        assert "\n" not in problem
        assert problem.startswith(f"{path}: ")
    return tuple(problem.removeprefix(f"{path}: ") for problem in caught.value.problems)


# Round trips

NAMES = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=8)
FLOATS = st.floats(-1, 1, width=32)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    ids = tuple(draw(st.lists(NAMES, min_size=1, max_size=5, unique=True)))
    dim = draw(st.integers(1, 6))
    row = st.lists(FLOATS, min_size=dim, max_size=dim)
    rows = draw(st.lists(row, min_size=len(ids), max_size=len(ids)))
    return batch(ids, np.array(rows))


def shuffled(path: Path, seed: int) -> None:
    header, *rows = csv.reader(io.StringIO(path.read_text("utf-8"), newline=""))
    random.Random(seed).shuffle(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=60, deadline=None)
@given(written=batches(), seed=st.integers(0, 99))
def test_round_trip(format: str, written: Batch, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"p{FORMATS[format]}"
        write_predictions(path, format, written)
        if format == "kaggle":
            shuffled(path, seed)
        read = read_predictions(path)
    expected = written.embeddings
    assert set(read.ids) == set(expected.ids)
    assert np.array_equal(read.align(expected.ids).rows, expected.rows)
    if format != "kaggle":
        assert read.ids == expected.ids


@pytest.mark.parametrize("format", FORMATS)
def test_numbers_of_every_size_round_trip(tmp_path: Path, format: str) -> None:
    row = unit([[0.75, -0.6614378, 1e-5, -1e-20, 1e-45, -0.0, 3e-39, 0.1]])
    written = Batch(Embeddings(("a",), row), (None,), ((),))
    path = tmp_path / f"p{FORMATS[format]}"
    write_predictions(path, format, written)
    assert np.array_equal(read_predictions(path).rows, row)


def test_kaggle_text(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    rows = np.array([[0.6, 0.8], [-1, 0]], np.float32)
    write_predictions(path, "kaggle", Batch(Embeddings(("b", "a_1"), rows), (None,) * 2, ((),) * 2))
    assert path.read_text() == "imgId_eId,val\nb_0,0.6\nb_1,0.8\na_1_0,-1\na_1_1,0\n"


def test_jsonl_text(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    write_predictions(path, "jsonl", three())
    first, second, _ = map(json.loads, path.read_text("utf-8").splitlines())
    assert list(first) == ["image_id", "prompt", "evidence", "embedding"]
    assert (first["prompt"], first["evidence"]) == (None, [])
    assert second["evidence"][1] == {"text": "ein Hut für", "score": -0.1, "kind": "nearest"}
    assert "ein Hut für" in path.read_text("utf-8")


def test_parquet_columns(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(path, "parquet", three())
    table = pq.read_table(path)
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 4)
    assert table["prompt"].to_pylist() == [None, "a cat", None]
    assert table["evidence"].to_pylist()[1][0] == {
        "text": "a cat, with a 'hat'",
        "score": 0.75,
        "kind": "neighbour",
    }


def test_npy_needs_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "p.npy"
    write_predictions(path, "npy", three())
    table = np.load(path, allow_pickle=False)
    assert table["image_id"].tolist() == ["b_1", "a", "x/ü"]
    assert (table["embedding"].dtype, table["embedding"].shape) == (np.float32, (3, 4))


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample submission is not beside the repo")
def test_sample_submission(tmp_path: Path) -> None:
    read = read_predictions(SAMPLE / "sample_submission.csv")
    assert (len(read), read.dim) == (7, 384)
    assert read.ids[0] == "20057f34d"
    assert read.rows[0, :2].tolist() == np.array([0.018848453, 0.030189732], np.float32).tolist()
    write_predictions(tmp_path / "s.csv", "kaggle", Batch(read, (None,) * 7, ((),) * 7))
    assert np.array_equal(read_predictions(tmp_path / "s.csv").rows, read.rows)


# Formats


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.csv", "kaggle"), ("a.JSONL", "jsonl"), ("a.ndjson", "jsonl"), ("a.npy", "npy")],
)
def test_format_of_suffix(name: str, format: str) -> None:
    assert format_of(Path(name)) == format
    assert format_of(Path(name), "parquet") == "parquet"


def test_format_unknown(tmp_path: Path) -> None:
    known = "there are kaggle (.csv), jsonl (.jsonl), parquet (.parquet), npy (.npy)"
    with pytest.raises(DataError) as caught:
        format_of(Path("a.txt"))
    assert str(caught.value) == f"a.txt: the suffix means no format of predictions; {known}"
    with pytest.raises(DataError) as caught:
        write_predictions(tmp_path / "a.csv", "csv", three())
    assert str(caught.value) == f"no format of predictions 'csv'; {known}"


@pytest.mark.parametrize("format", FORMATS)
def test_writing_is_all_or_nothing(tmp_path: Path, format: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_predictions(tmp_path / "folder", format, three())
    write_predictions(tmp_path / "p", format, three())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "p"]


# What reading accepts


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "bom"])
def test_kaggle_any_order_quotes_and_lengths(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f'{mark}val,imgId_eId\n4,b_1\n0.0,a_0\n"3",b_0\n0,"a_1"\n', encoding="utf-8")
    read = read_predictions(path)
    assert read.ids == ("b", "a")
    assert np.allclose(read.rows, [[0.6, 0.8], [0, 0]])


def test_parquet_of_other_tools(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"embedding": [[3.0, 4.0], [1.0, 0.0]], "imgId": [7, 8]}), path)
    read = read_predictions(path)
    assert read.ids == ("7", "8")
    assert np.allclose(read.rows, [[0.6, 0.8], [1, 0]])


def test_npy_of_half_precision(tmp_path: Path) -> None:
    table = np.zeros(1, [("image_id", "<U3"), ("embedding", "<f2", (2,))])
    table["image_id"], table["embedding"] = "a", (3, 4)
    np.save(tmp_path / "p.npy", table)
    assert np.allclose(read_predictions(tmp_path / "p.npy").rows, [[0.6, 0.8]])


# What reading refuses


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        ("a_0,1 b_0,1 b_1,2 c_0,1 c_1,1", ("no value for 'a_1'",)),
        ("a_1,1 b_0,1 b_1,2", ("no value for 'a_0'",)),
        ("a_0,1 a_0,1 a_1,2", ("repeated: 'a_0'",)),
        ("a_0,1 a_2,2", ("no value for 'a_1'",)),
        ("a_0,nan a_1,1 b_0,1 b_1,inf", ("not finite: 'a_0', 'b_1'",)),
        ("a_0,1e40 a_1,1", ("not finite: 'a_0'",)),
        ("a_0,1 x,2 _1,3 a_x,4 a_-1,5 a_01,6", (
            "not of the form <imgId>_<eId>: 'x', '_1', 'a_x', 'a_-1', 'a_01'",
        )),
        ("a_0,1 a_1,1 b_0,1 b_1,1 c_0,1 c_1,1 c_2,1 c_0,2 a_999999999,1 b_3,1", (
            "repeated: 'c_0'",
            "beyond the 4 dimensions that most images have: 'a_999999999'",
            "no value for 'a_2', 'b_2', 'c_3'",
        )),
        ("a_999999999,1", ("no value for 'a_0'",)),
        ("", ("the table has no rows",)),
    ],
)  # fmt: skip
def test_kaggle_names_image_and_dimension(
    tmp_path: Path, rows: str, problems: tuple[str, ...]
) -> None:
    path = tmp_path / "s.csv"
    path.write_text("\n".join(["imgId_eId,val", *rows.split()]) + "\n")
    assert broken(path) == problems


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        (
            "id,val\na_0,1\n",
            "a submission has the columns imgId_eId,val; this table has 'id', 'val'",
        ),
        ("imgId_eId,val\na_0,1\na_1\n", "Expected 2 columns, got 1"),
        ("imgId_eId,val\na_0,one\n", "invalid value 'one'"),
        ("imgId_eId,val\na_0,\n", "invalid value ''"),
        ("imgId_eId,val,val\na_0,1,2\n", "a submission has the columns imgId_eId,val"),
    ],
)
def test_kaggle_broken_table(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(content)
    (line,) = broken(path)
    assert problem in line


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([[1, 0], [1], [0, 1]], "'1'"),
        ([[1, 0], None, [0, 1]], "'1'"),
        ([[1, 0], ["1", "0"], [True, 1]], "'1', '2'"),
        ([[], [1]], "'0', '1'"),
        ([5, [1]], "'0', '1'"),
    ],
)
def test_jsonl_rows_of_other_lengths(tmp_path: Path, rows: list[object], names: str) -> None:
    path = tmp_path / "p.jsonl"
    lines = [json.dumps({"image_id": str(i), "embedding": row}) for i, row in enumerate(rows)]
    path.write_text("\n".join(lines))
    assert broken(path) == (f"not the same number of numbers as in the first: {names}",)


@pytest.mark.parametrize(
    ("ids", "number", "problem"),
    [
        (["a", "a"], "1", "repeated ids: 'a'"),
        (["a", "b"], "NaN", "values that are not finite: 'a', 'b'"),
        (["a", "b"], "1e39", "values that are not finite: 'a', 'b'"),
        (["a", None], "1", "1 predictions have no image id"),
    ],
)
def test_jsonl_ids_and_numbers(
    tmp_path: Path, ids: list[str | None], number: str, problem: str
) -> None:
    path = tmp_path / "p.jsonl"
    lines = [f'{{"image_id": {json.dumps(name)}, "embedding": [{number}, 0]}}' for name in ids]
    path.write_text("\n".join(lines))
    assert broken(path) == (problem,)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"image_id": ["a", "b"], "embedding": [[1.0, 0.0], [1.0]]}, "as in the first: 'b'"),
        ({"image_id": ["a", "b"], "embedding": [[1.0], None]}, "as in the first: 'b'"),
        ({"image_id": ["a"], "embedding": [[1.0, None]]}, "values that are not finite: 'a'"),
        ({"image_id": ["a", None], "embedding": [[1.0], [1.0]]}, "1 predictions have no image id"),
        ({"image_id": ["a"], "rows": [[1.0]]}, "needs one column of embedding; has"),
        ({"image_id": ["a"], "embedding": ["text"]}, "cannot be read"),
    ],
)
def test_parquet_refused(tmp_path: Path, columns: dict[str, list], problem: str) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table(columns), path)
    (line,) = broken(path)
    assert problem in line


@pytest.mark.parametrize(
    "table",
    [
        np.eye(2),
        np.array([{"image_id": "a"}], object),
        np.zeros(2, [("image_id", "<U2"), ("rows", "<f4", (2,))]),
    ],
    ids=["positional", "pickle", "other fields"],
)
def test_npy_without_ids_is_refused(tmp_path: Path, table: np.ndarray) -> None:
    np.save(tmp_path / "p.npy", table, allow_pickle=True)
    (line,) = broken(tmp_path / "p.npy")
    assert line == "not a keyed .npy; it holds records of image_id and embedding"


@pytest.mark.parametrize("format", ["jsonl", "parquet", "npy"])
def test_garbage_and_missing(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"p{FORMATS[format]}"
    assert broken(path) == ("no such file",)
    path.write_bytes(b"{garbage\n")
    with pytest.raises(DataError, match=r"not valid JSON|cannot be read|not a keyed"):
        read_predictions(path)
