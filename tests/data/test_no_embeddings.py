"""Files of predictions whose embeddings are no lists of numbers, or hold nothing but zeros."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import unprompt
from unprompt._cli.app import app
from unprompt._data.predictions import read_predictions
from unprompt.errors import DataError


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    (line,) = caught.value.problems
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "is null"),
        ("0.1", "is the text '0.1'"),
        (True, "is true"),
        ({}, "is an empty object"),
        ([], "is an empty list"),
        ([0.1, "0.2"], "holds the text '0.2'"),
        ([0.1, None], "holds null"),
        ([True, 0.1], "holds true"),
    ],
)
def test_jsonl_says_what_stands_for_an_embedding(
    tmp_path: Path, row: int, value: object, what: str
) -> None:
    rows = [{"image_id": str(i), "embedding": [0.6, 0.8]} for i in range(3)]
    rows[row]["embedding"] = value  # type: ignore[assignment]  # that is the fault
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert refusal(path) == f"the embedding of '{row}' {what}, no list of numbers"


@pytest.mark.parametrize(
    "column", [[[True, False]], [["0.1", "0.2"]], [0.5], ["0.5"], [[[0.1], [0.2]]]]
)
def test_parquet_refuses_what_is_no_list_of_numbers(tmp_path: Path, column: Any) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image_id": ["0"], "embedding": column}), path)
    assert refusal(path).endswith("not lists of numbers")


def test_parquet_names_rows_without_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image_id": ["0", "1"], "embedding": [None, [0.1]]}), path)
    assert refusal(path) == "no numbers in the embedding of '0'"


def test_score_says_how_many_predictions_are_all_zeros(tmp_path: Path) -> None:
    rows = np.eye(4, 384, dtype=np.float32)
    rows[1:3] = 0
    lines = [{"image_id": str(i), "embedding": row.tolist()} for i, row in enumerate(rows)]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, lines)))
    texts = ["a red cat", "two green ships", "an old castle", "snow at night"]
    table = "\n".join(["image_id,prompt", *(f"{i},{text}" for i, text in enumerate(texts))])
    (tmp_path / "t.csv").write_text(table)
    assert unprompt.score(tmp_path / "p.jsonl", tmp_path / "t.csv").zeros == 2
    arguments = ["score", str(tmp_path / "p.jsonl"), str(tmp_path / "t.csv"), "--quiet"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0
    assert "caution: 2 of 4 predictions are all zeros: they score 0" in shown.output
