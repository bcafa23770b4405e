"""Predictions on disk: every format keeps ids and values."""

from __future__ import annotations

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


def test_kaggle_file_content(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    rows = np.array([[0.6, 0.8], [-1, 0]], np.float32)
    write_predictions(path, "kaggle", Batch(Embeddings(("b", "a_1"), rows), (None,) * 2, ((),) * 2))
    assert path.read_text() == "imgId_eId,val\nb_0,0.6\nb_1,0.8\na_1_0,-1\na_1_1,0\n"


def test_jsonl_file_content(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    write_predictions(path, "jsonl", three())
    first, second, _ = map(json.loads, path.read_text("utf-8").splitlines())
    assert list(first) == ["image_id", "prompt", "evidence", "embedding"]
    assert (first["prompt"], first["evidence"]) == (None, [])
    assert second["evidence"][1] == {"text": "ein Hut für", "score": -0.1, "kind": "nearest"}
    assert "ein Hut für" in path.read_text("utf-8")


FIELDS = {"readback": (None, 0.875, 0.25), "composed": (False, True, False)}


def test_fields_follow_the_prompt_in_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    write_predictions(path, "jsonl", three(), FIELDS)
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    keys = ["image_id", "prompt", "readback", "composed", "evidence", "embedding"]
    assert all(list(row) == keys for row in rows)
    assert [(row["readback"], row["composed"]) for row in rows] == [
        (None, False),
        (0.875, True),
        (0.25, False),
    ]
    assert read_predictions(path).ids == ("b_1", "a", "x/ü")


def test_fields_follow_the_prompt_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    write_predictions(path, "parquet", three(), FIELDS | {"nothing": (None, None, None)})
    table = pq.read_table(path)
    names = ["image_id", "prompt", "readback", "composed", "nothing", "evidence", "embedding"]
    assert table.schema.names == names
    types = {name: table.schema.field(name).type for name in names[2:5]}
    assert types == {"readback": pa.float64(), "composed": pa.bool_(), "nothing": pa.float64()}
    assert table["readback"].to_pylist() == [None, 0.875, 0.25]
    assert table["composed"].to_pylist() == [False, True, False]
    assert read_predictions(path).ids == ("b_1", "a", "x/ü")


@pytest.mark.parametrize("format", FORMATS)
def test_a_field_has_a_value_for_every_image(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"p{FORMATS[format]}"
    with pytest.raises(DataError, match="not one value per image: 'readback'"):
        write_predictions(path, format, three(), {"readback": (0.5, 0.5)})
    assert not path.exists()
    if format in ("kaggle", "npy"):
        write_predictions(path, format, three(), FIELDS)
        assert read_predictions(path).ids == ("b_1", "a", "x/ü")


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
def test_the_competitions_sample_submission_round_trips(tmp_path: Path) -> None:
    read = read_predictions(SAMPLE / "sample_submission.csv")
    assert (len(read), read.dim) == (7, 384)
    assert read.ids[0] == "20057f34d"
    assert read.rows[0, :2].tolist() == np.array([0.018848453, 0.030189732], np.float32).tolist()
    write_predictions(tmp_path / "s.csv", "kaggle", Batch(read, (None,) * 7, ((),) * 7))
    assert np.array_equal(read_predictions(tmp_path / "s.csv").rows, read.rows)


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.csv", "kaggle"), ("a.JSONL", "jsonl"), ("a.ndjson", "jsonl"), ("a.npy", "npy")],
)
def test_format_of_suffix(name: str, format: str) -> None:
    assert format_of(Path(name)) == format
    assert format_of(Path(name), "parquet") == "parquet"


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    known = "there are kaggle (.csv), jsonl (.jsonl), parquet (.parquet), npy (.npy)"
    with pytest.raises(DataError) as caught:
        format_of(Path("a.txt"))
    assert str(caught.value) == f"a.txt: no format of predictions has this suffix; {known}"
    with pytest.raises(DataError) as caught:
        write_predictions(tmp_path / "a.csv", "csv", three())
    assert str(caught.value) == f"unknown format of predictions 'csv'; {known}"


@pytest.mark.parametrize("format", FORMATS)
def test_writing_is_all_or_nothing(tmp_path: Path, format: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_predictions(tmp_path / "folder", format, three())
    write_predictions(tmp_path / "p", format, three())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "p"]


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "bom"])
def test_kaggle_rows_may_have_any_order_quotes_and_lengths(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f'{mark}val,imgId_eId\n4,b_1\n0.0,a_0\n"3",b_0\n0,"a_1"\n', encoding="utf-8")
    read = read_predictions(path)
    assert read.ids == ("b", "a")
    assert np.allclose(read.rows, np.array([[0.6, 0.8], [0, 0]]))


def test_parquet_of_other_tools_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"embedding": [[3.0, 4.0], [1.0, 0.0]], "imgId": [7, 8]}), path)
    read = read_predictions(path)
    assert read.ids == ("7", "8")
    assert np.allclose(read.rows, np.array([[0.6, 0.8], [1, 0]]))


def test_npy_of_half_precision_is_read(tmp_path: Path) -> None:
    table = np.zeros(1, [("image_id", "<U3"), ("embedding", "<f2", (2,))])
    table["image_id"], table["embedding"] = "a", (3, 4)
    np.save(tmp_path / "p.npy", table)
    assert np.allclose(read_predictions(tmp_path / "p.npy").rows, [[0.6, 0.8]])
