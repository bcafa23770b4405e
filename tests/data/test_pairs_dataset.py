"""The dataset `pairs`: one table of images and prompts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unprompt import Dataset
from unprompt._builtin.pairs import Pairs, PairsOptions
from unprompt._data.images import Files
from unprompt._data.prompts import prompt_id
from unprompt.contracts import Record

SaveImage = Callable[..., Path]
Row = dict[str, str]
Problems = Callable[[Dataset], tuple[str, ...]]


def pairs_of(table: Path, **options: str) -> Pairs:
    return Pairs(PairsOptions.model_validate({"table": str(table), **options}))


@pytest.mark.parametrize(
    "column",
    ["image", "filepath", "image_path", "image_name", "file_name", "filename", "file", "path"],
)
@pytest.mark.parametrize("prompt", ["prompt", "text", "caption", "Prompt"])
def test_pairs_columns(tmp_path: Path, column: str, prompt: str, save_image: SaveImage) -> None:
    save_image(tmp_path / "x/a.png")
    (tmp_path / "t.csv").write_text(f"{column},{prompt}\nx/a.png,one\n")
    dataset = pairs_of(tmp_path / "t.csv")
    assert dataset.records() == (Record("x/a", prompt_id("one"), "one"),)
    assert dataset.images().open("x/a").size == (2, 2)


@pytest.fixture
def full_rows(tmp_path: Path, save_image: SaveImage) -> list[Row]:
    """Rows with every column of a table, whose images exist below ``tmp_path``."""
    for name in "abcd":
        save_image(tmp_path / f"{name}.png")
    columns = ("image", "prompt", "image_id", "prompt_id", "group", "split")
    rows = [
        ("a.png", "one", "1", "p", "g", "train"),
        ("b.png", "two", "2", "", "h", "validation"),
        (f"{tmp_path}/c.png", "one", "", "p", "", "TEST"),
        ("d.png", "four", "", "", "", ""),
    ]
    return [dict(zip(columns, row, strict=True)) for row in rows]


def write_table(path: Path, rows: list[Row]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        separator = "\t" if path.suffix == ".tsv" else ","
        lines = [separator.join(row) for row in [rows[0], *(row.values() for row in rows)]]
        path.write_text("\n".join(lines))
    return path


WEIGHTS = ["2.5", "", "0", "1e-3"]
SUBSETS = ["unseen", " seen ", "", "unseen"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_pairs_weight_and_subset(tmp_path: Path, suffix: str, full_rows: list[Row]) -> None:
    rows = [
        row | {"Weight": weight, "subset": subset}
        for row, weight, subset in zip(full_rows, WEIGHTS, SUBSETS, strict=True)
    ]
    records = pairs_of(write_table(tmp_path / f"t.{suffix}", rows)).records()
    assert [record.weight for record in records] == [2.5, 1, 0, 0.001]
    assert [record.subset for record in records] == ["unseen", "seen", None, "unseen"]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_pairs_weights_that_are_numbers(tmp_path: Path, suffix: str, full_rows: list[Row]) -> None:
    """Beside a missing one, which is 1."""
    rows: list[dict[str, Any]] = [*full_rows]
    rows = [row | {"weight": w} for row, w in zip(rows, (2.5, None, 0, 3), strict=True)]
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [record.weight for record in pairs_of(path).records()] == [2.5, 1, 0, 3]


@pytest.mark.parametrize("bad", ["heavy", "-0.1", "nan", "inf", "1e999", "1,5", "-inf"])
def test_pairs_weights_that_are_none(
    tmp_path: Path, full_rows: list[Row], problems: Problems, bad: str
) -> None:
    table = tmp_path / "t.tsv"
    weights = ["1", bad, "", bad]
    rows = [row | {"weight": w} for row, w in zip(full_rows, weights, strict=True)]
    assert problems(pairs_of(write_table(table, rows))) == (
        f"{table}: weight should be a finite number of at least 0, and is not of '2', 'd'",
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0])
def test_pairs_numbers_that_are_no_weights(
    tmp_path: Path, full_rows: list[Row], problems: Problems, bad: float
) -> None:
    table = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pylist([{**full_rows[0], "weight": bad}]), table)
    assert problems(pairs_of(table)) == (
        f"{table}: weight should be a finite number of at least 0, and is not of '1'",
    )


def test_pairs_weight_is_no_truth(tmp_path: Path, full_rows: list[Row], problems: Problems) -> None:
    table = tmp_path / "t.jsonl"
    table.write_text(json.dumps({**full_rows[0], "weight": True}) + "\n")
    [problem] = problems(pairs_of(table))
    assert problem.startswith(f"{table}: row 1: column 'weight' ")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_pairs_optional_columns(tmp_path: Path, suffix: str, full_rows: list[Row]) -> None:
    table = write_table(tmp_path / f"t.{suffix}", full_rows)
    assert pairs_of(table).records() == (
        Record("1", "p", "one", "g", "train"),
        Record("2", prompt_id("two"), "two", "h", "holdout"),
        Record(f"{tmp_path}/c", "p", "one", None, "test"),
        Record("d", prompt_id("four"), "four", None, None),
    )


def test_pairs_jsonl_with_nulls_left_out(tmp_path: Path, full_rows: list[Row]) -> None:
    rows = [{key: value for key, value in row.items() if value} for row in full_rows]
    table = write_table(tmp_path / "t.jsonl", rows)
    assert [record.split for record in pairs_of(table).records()] == [
        "train",
        "holdout",
        "test",
        None,
    ]


def test_pairs_reads_a_hugging_face_imagefolder(tmp_path: Path, save_image: SaveImage) -> None:
    save_image(tmp_path / "train/0001.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "train/0001.png", "text": "one"}\n')
    dataset = pairs_of(tmp_path / "metadata.jsonl")
    assert [record.image_id for record in dataset.records()] == ["train/0001"]


def test_pairs_images_folder(tmp_path: Path, save_image: SaveImage, problems: Problems) -> None:
    save_image(tmp_path / "images/a.png")
    (tmp_path / "t.csv").write_text("image,prompt\na.png,one\n")
    assert problems(pairs_of(tmp_path / "t.csv")) == (
        f"{tmp_path}/t.csv: no such image: '{tmp_path}/a.png'",
    )
    dataset = pairs_of(tmp_path / "t.csv", images=f"{tmp_path}/images")
    source = dataset.images().source
    assert isinstance(source, Files)
    assert source.paths == {"a": tmp_path / "images/a.png"}


def test_pairs_lists_all_problems(
    tmp_path: Path, save_image: SaveImage, problems: Problems
) -> None:
    save_image(tmp_path / "a.png")
    save_image(tmp_path / "a.jpg")
    (tmp_path / "t.csv").write_text(
        "image,prompt,prompt_id,split\n"
        "a.png,one,p,train\na.jpg,two,p,eval\ngone.png,,q,test\n,four,r,\n"
    )
    table = f"{tmp_path}/t.csv"
    assert problems(pairs_of(tmp_path / "t.csv")) == (
        f"{table}: no image id in row '4'",
        f"{table}: repeated ids 'a'",
        f"{table}: empty prompt for 'gone'",
        f"{table}: no such image: '{tmp_path}/gone.png', '{tmp_path}'",
        f"{table}: different prompts share the prompt_id 'p'",
        f"{table}: split should be train, holdout (validation, val, dev) or test, not 'eval'",
    )
