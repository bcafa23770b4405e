"""Broken files of predictions are refused, and the error names image and dimension."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unprompt._data.predictions import FORMATS, read_predictions
from unprompt.errors import DataError


def broken(path: Path) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    for problem in caught.value.problems:
        assert "\n" not in problem
        assert problem.startswith(f"{path}: ")
    return tuple(problem.removeprefix(f"{path}: ") for problem in caught.value.problems)


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
def test_broken_kaggle_tables_are_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(content)
    (line,) = broken(path)
    assert problem in line


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([[1, 0], [1], [0, 1]], "'1'"),
        ([[1], [1, 0], [0, 1]], "'1', '2'"),
    ],
)
def test_jsonl_rows_of_different_lengths_are_refused(
    tmp_path: Path, rows: list[object], names: str
) -> None:
    path = tmp_path / "p.jsonl"
    lines = [json.dumps({"image_id": str(i), "embedding": row}) for i, row in enumerate(rows)]
    path.write_text("\n".join(lines))
    assert broken(path) == (f"their embeddings are not as long as the first one: {names}",)


@pytest.mark.parametrize(
    ("ids", "number", "problem"),
    [
        (["a", "a"], "1", "repeated ids: 'a'"),
        (["a", "b"], "NaN", "values that are not finite: 'a', 'b'"),
        (["a", "b"], "1e39", "values that are not finite: 'a', 'b'"),
        (["a", None], "1", "1 predictions have no image id"),
    ],
)
def test_wrong_ids_and_numbers_in_jsonl_are_refused(
    tmp_path: Path, ids: list[str | None], number: str, problem: str
) -> None:
    path = tmp_path / "p.jsonl"
    lines = [f'{{"image_id": {json.dumps(name)}, "embedding": [{number}, 0]}}' for name in ids]
    path.write_text("\n".join(lines))
    assert broken(path) == (problem,)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (
            {"image_id": ["a", "b"], "embedding": [[1.0, 0.0], [1.0]]},
            "not as long as the first one: 'b'",
        ),
        (
            {"image_id": ["a", "b"], "embedding": [[1.0], None]},
            "no numbers in the embedding of 'b'",
        ),
        ({"image_id": ["a"], "embedding": [[1.0, None]]}, "values that are not finite: 'a'"),
        ({"image_id": ["a", None], "embedding": [[1.0], [1.0]]}, "1 predictions have no image id"),
        ({"image_id": ["a"], "rows": [[1.0]]}, "needs one column of embedding; has"),
        ({"image_id": ["a"], "embedding": ["text"]}, "its embeddings are string"),
    ],
)
def test_broken_parquet_is_refused(
    tmp_path: Path, columns: dict[str, list[object]], problem: str
) -> None:
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
    pickle = "holds Python objects, which are not read"
    keyed = "not a keyed .npy; it holds records of image_id and embedding"
    assert line == (pickle if table.dtype == object else keyed)


@pytest.mark.parametrize("format", ["jsonl", "parquet", "npy"])
def test_garbage_and_missing_files_are_refused(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"p{FORMATS[format]}"
    assert broken(path) == ("no such file",)
    path.write_bytes(b"{garbage\n")
    with pytest.raises(DataError, match=r"not JSON|cannot be read|not a keyed"):
        read_predictions(path)
