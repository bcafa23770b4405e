"""Rows from CSV, TSV, JSON lines and Parquet, and errors that name the line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unprompt._data.tables import find_column, pick_column, read_rows, texts
from unprompt.errors import DataError

REAL_ROW = (
    'f27825b2c,"Kaggle employee Phil at a donut shop ordering all the best donuts, with a speech '
    'bubble that proclaims ""Donuts. It\'s what\'s for dinner!"""'
)
REAL_PROMPT = (
    "Kaggle employee Phil at a donut shop ordering all the best donuts, with a speech bubble "
    "that proclaims \"Donuts. It's what's for dinner!\""
)


def table(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def problem(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_rows(path)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line.removeprefix(str(path))


def test_a_row_of_the_competition_is_read(tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", f"imgId,prompt\n{REAL_ROW}\n")
    assert read_rows(path) == [{"imgId": "f27825b2c", "prompt": REAL_PROMPT}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_quoted_values_may_contain_separators_quotes_and_newlines(tmp_path: Path, end: str) -> None:
    path = table(tmp_path, "a.csv", f'a,b{end}"1,2","x{end}""y"""{end}{end}3,{end}')
    assert read_rows(path) == [{"a": "1,2", "b": f'x{end}"y"'}, {"a": "3", "b": ""}]


def test_tsv_is_read(tmp_path: Path) -> None:
    path = table(tmp_path, "A.TSV", 'image\tprompt\na.png\ta cat, says "hi"\nb.png\t"x\ty"\n')
    assert [row["prompt"] for row in read_rows(path)] == ['a cat, says "hi"', "x\ty"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_byte_order_mark_is_ignored(tmp_path: Path, mark: bytes, name: str) -> None:
    content = "id,p\n1,é\n" if name == "a.csv" else '{"id": "1", "p": "é"}\n'
    assert read_rows(table(tmp_path, name, mark + content.encode())) == [{"id": "1", "p": "é"}]


def test_json_lines_have_the_same_keys(tmp_path: Path) -> None:
    path = table(tmp_path, "a.ndjson", '{"a": 1}\n\n{"b": [2], "a": "\u2028"}\r\n')
    assert read_rows(path) == [{"a": 1, "b": None}, {"a": "\u2028", "b": [2]}]


def test_parquet_is_read(tmp_path: Path) -> None:
    rows = [{"a": "x", "b": 1}, {"a": None, "b": 2}]
    folder = tmp_path / "split=train"  # looks like a partition, is only a name
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    assert read_rows(folder / "a.parquet") == rows


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", "a,b\n1,2\n1,2,3\n", ":3: 3 fields, but the header has 2"),
        ("a.csv", 'a,b\n"x\ny",2\n\n1\n', ":5: 1 fields, but the header has 2"),
        ("a.csv", 'a,b\n1,"2\n3,4\n', ":2: not valid CSV: unexpected end of data"),
        ("a.csv", 'a,b\n1,"2"x\n', ":2: not valid CSV: ',' expected after '\"'"),
        ("a.csv", "a,b,a\n1,2,3\n", ":1: the header repeats 'a'"),
        ("a.csv", "\n\n", ":1: no header"),
        ("a.csv", "a,b\n", ": the table has no rows"),
        ("a.csv", "", ": the file is empty"),
        ("a.csv", b"a,b\n1,2\n3,\xff\n", ":3: not UTF-8"),
        ("a.csv", b"\xef\xbb\xbfa,b\n1,\xe9\n", ":2: not UTF-8"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', ":2: not UTF-8"),
        ("a.jsonl", '{"a": 1}\n[1]\n', ":2: not a JSON object, but a list"),
        ("a.jsonl", "\n", ": the table has no rows"),
        ("a.parquet", "", ": the file is empty"),
        ("a.txt", "a", ": not a table; known are .csv, .tsv, .jsonl, .ndjson, .parquet"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, name: str, content: str | bytes, line: str) -> None:
    assert problem(table(tmp_path, name, content)) == line


def test_invalid_json_and_parquet_are_refused(tmp_path: Path) -> None:
    json_line = problem(table(tmp_path, "a.jsonl", '{"a": 1}\n\n{"a": }\n'))
    assert json_line.startswith(":3: not valid JSON: Expecting value")
    assert problem(table(tmp_path, "a.parquet", "PAR1?")).startswith(": cannot be read: ")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet"):
        assert problem(tmp_path / name) == ": no such file"
    (tmp_path / "b.csv").mkdir()
    assert problem(tmp_path / "b.csv") == ": is a folder, not a file"


def test_column_is_found_in_any_case() -> None:
    path = Path("t.csv")
    assert pick_column(["id", "Prompt"], ("prompt", "text"), path) == "Prompt"
    assert find_column(["id"], ("prompt",), path) is None


def test_a_missing_column_lists_the_columns_of_the_table() -> None:
    with pytest.raises(DataError) as caught:
        pick_column(["a.png", "a cat"], ("prompt", "text"), Path("t.csv"))
    assert str(caught.value) == (
        "t.csv: needs one column of prompt, text; has 'a.png', 'a cat' (is the header line there?)"
    )


@pytest.mark.parametrize("find", [pick_column, find_column])
def test_two_columns_of_one_meaning_are_refused(find: Callable[..., object]) -> None:
    with pytest.raises(DataError, match=r"t\.csv: the columns 'text', 'prompt' mean the same"):
        find(["text", "id", "prompt"], ("prompt", "text"), Path("t.csv"))


def test_texts_of_a_column() -> None:
    rows: list[dict[str, Any]] = [{"a": " x "}, {"a": None}, {"a": 7}]
    assert texts(rows, "a", Path("t.jsonl")) == [" x ", "", "7"]


def test_texts_refuse_images_inside_tables(tmp_path: Path) -> None:
    path = table(tmp_path, "a.jsonl", json.dumps({"image": {"bytes": "x", "path": None}}))
    with pytest.raises(DataError, match="row 1: column 'image' holds a dict, not text"):
        texts(read_rows(path), "image", path)


def test_texts_refuse_half_of_a_surrogate_pair(tmp_path: Path) -> None:
    path = table(tmp_path, "a.jsonl", '{"prompt": "a \\ud83d\\ude00"}\n{"prompt": "a \\ud83d"}\n')
    with pytest.raises(DataError, match="row 2: column 'prompt' holds half of a surrogate pair"):
        texts(read_rows(path), "prompt", path)
