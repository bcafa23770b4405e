"""Rows from CSV, TSV, JSON lines and Parquet, and errors that name the line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unprompt._data.tables import Table, find_column, pick_column, read_table
from unprompt.errors import DataError

REAL_ROW = (
    'f27825b2c,"Kaggle employee Phil at a donut shop ordering all the best donuts, with a speech '
    'bubble that proclaims ""Donuts. It\'s what\'s for dinner!"""'
)
REAL_PROMPT = (
    "Kaggle employee Phil at a donut shop ordering all the best donuts, with a speech bubble "
    "that proclaims \"Donuts. It's what's for dinner!\""
)


LFS = ": a Git LFS pointer, not the file: run `git lfs pull`"


def table(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def problem(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line.removeprefix(str(path))


def test_a_row_of_the_competition_is_read(tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", f"imgId,prompt\n{REAL_ROW}\n")
    assert read_table(path).rows == [{"imgId": "f27825b2c", "prompt": REAL_PROMPT}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_quoted_values_may_contain_separators_quotes_and_newlines(tmp_path: Path, end: str) -> None:
    path = table(tmp_path, "a.csv", f'a,b{end}"1,2","x{end}""y"""{end}{end}3,{end}')
    assert read_table(path).rows == [{"a": "1,2", "b": f'x{end}"y"'}, {"a": "3", "b": ""}]


def test_tsv_is_read(tmp_path: Path) -> None:
    path = table(tmp_path, "A.TSV", 'image\tprompt\na.png\ta cat, says "hi"\nb.png\t"x\ty"\n')
    assert [row["prompt"] for row in read_table(path).rows] == ['a cat, says "hi"', "x\ty"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_byte_order_mark_is_ignored(tmp_path: Path, mark: bytes, name: str) -> None:
    content = "id,p\n1,é\n" if name == "a.csv" else '{"id": "1", "p": "é"}\n'
    assert read_table(table(tmp_path, name, mark + content.encode())).rows == [
        {"id": "1", "p": "é"}
    ]


def test_json_lines_have_the_same_keys(tmp_path: Path) -> None:
    path = table(tmp_path, "a.ndjson", '{"a": 1}\n\n{"b": [2], "a": "\u2028"}\r\n')
    assert read_table(path).rows == [{"a": 1, "b": None}, {"a": "\u2028", "b": [2]}]


def test_parquet_is_read(tmp_path: Path) -> None:
    rows = [{"a": "x", "b": 1}, {"a": None, "b": 2}]
    folder = tmp_path / "split=train"  # looks like a partition, is only a name
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    assert read_table(folder / "a.parquet").rows == rows


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.csv", "a,b\n1,2\n1,2,3\n", ":3: 3 fields, but the header has 2"),
        ("a.csv", 'a,b\n"x\ny",2\n\n1\n', ":5: 1 field, but the header has 2"),
        ("a.csv", 'a,b\n1,"2\n3,4\n', ":2: not valid CSV: unexpected end of data"),
        ("a.csv", 'a,b\n1,"2"x\n', ":2: not valid CSV: ',' expected after '\"'"),
        ("a.csv", "a,b,a\n1,2,3\n", ":1: the header repeats 'a'"),
        ("a.csv", "\n\n", ":1: no header"),
        ("a.csv", "a,b\n", ": the table has no rows"),
        ("a.csv", "", ": the file is empty"),
        ("a.csv", b"a,b\n1,2\n3,\xff\n", ":3: not UTF-8"),
        ("a.csv", b"\xef\xbb\xbfa,b\n1,\xe9\n", ":2: not UTF-8"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', ":2: not UTF-8"),
        ("a.jsonl", '{"a": 1}\n[1]\n', ":2: should be an object, but is a list"),
        ("a.jsonl", '{"a": 1, "b": 2, "a": 3}', ":1: not JSON: the key 'a' is there twice"),
        ("a.jsonl", "\n\n" + "[" * 100_000, ":3: not JSON: nested too deeply"),
        ("a.jsonl", "version https://git-lfs.github.com/spec/v1\noid", LFS),
        ("a.csv", "version https://git-lfs.github.com/spec/v1\noid", LFS),
        ("a.jsonl", "\n", ": the table has no rows"),
        ("a.parquet", "", ": the file is empty"),
        ("a.txt", "a", ": not a table; known are .csv, .tsv, .jsonl, .ndjson, .parquet"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, name: str, content: str | bytes, line: str) -> None:
    assert problem(table(tmp_path, name, content)) == line


def test_invalid_json_and_parquet_are_refused(tmp_path: Path) -> None:
    json_line = problem(table(tmp_path, "a.jsonl", '{"a": 1}\n\n{"a": }\n'))
    assert json_line.startswith(":3:7: not JSON: Expecting value")
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
    rows: list[dict[str, Any]] = [{"a": " x "}, {"a": None}, {"a": 7}, {"a": 0.5}, {"a": "x\0"}]
    texts = Table(Path("t.jsonl"), ("a",), rows).texts("a")
    assert texts == [" x ", "", "7", "0.5", "x\0"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_missing_texts(tmp_path: Path, number: str) -> None:
    path = table(tmp_path, "a.jsonl", f'{{"prompt": "nan"}}\n{{"prompt": {number}}}\n')
    assert read_table(path).texts("prompt") == ["nan", ""]


@pytest.mark.parametrize("word", ["true", "false"])
def test_texts_refuse_true_and_false(tmp_path: Path, word: str) -> None:
    path = table(tmp_path, "a.jsonl", f'{{"prompt": "a"}}\n{{"prompt": {word}}}\n')
    with pytest.raises(DataError, match=f"row 2: column 'prompt' holds {word}, not text"):
        read_table(path).texts("prompt")


def test_only_wanted_columns_are_kept(tmp_path: Path) -> None:
    rows = [{"ID": str(i), "image": b"x" * 9, "prompt": f"p{i}"} for i in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    lines = [json.dumps({**row, "image": "x" * 9}) for row in rows]
    text = table(tmp_path, "a.jsonl", "\n".join(lines))
    csv = table(tmp_path, "a.csv", "ID,image,prompt\n" + "".join(f"{i},x,p{i}\n" for i in range(3)))
    for path in (tmp_path / "a.parquet", text, csv):
        read = read_table(path, ("id", "prompt", "caption"))
        assert read.columns == ("ID", "image", "prompt")
        assert read.rows == [{"ID": str(i), "prompt": f"p{i}"} for i in range(3)]


def test_a_parquet_column_that_is_not_wanted_is_not_read(tmp_path: Path) -> None:
    # Destroyed where only that column lies.
    path = tmp_path / "a.parquet"
    image = [bytes([i]) * 5000 for i in range(3)]
    pq.write_table(pa.table({"image": image, "prompt": ["a", "b", "c"]}), path, compression=None)
    content = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(0).column(0).dictionary_page_offset
    content[start : start + 5000] = bytes(5000)
    path.write_bytes(content)
    assert read_table(path, ("prompt",)).texts("prompt") == ["a", "b", "c"]


def test_images_in_a_parquet_table_are_not_read_to_say_that_they_are_no_text(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.parquet"
    image = [{"bytes": bytes([i]) * 5000, "path": f"{i}.png"} for i in range(3)]
    pq.write_table(pa.table({"image": image, "text": ["a", "b", "c"]}), path, compression=None)
    content = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(0).column(0).dictionary_page_offset
    content[start : start + 5000] = bytes(5000)
    path.write_bytes(content)
    read = read_table(path)
    assert read.texts("text") == ["a", "b", "c"]
    with pytest.raises(DataError) as caught:
        read.texts("image")
    (line,) = caught.value.problems
    assert line.removeprefix(f"{path}: ") == (
        "column 'image' holds images (struct<bytes: binary, path: string>), not text: "
        "save them as files, and name the files in this column"
    )


def test_a_table_without_a_wanted_column_still_names_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [b"x"], "words": ["a"]}), tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet", ("prompt",))
    assert (read.columns, len(read)) == (("image", "words"), 1)


def test_a_small_parquet_file_may_not_become_a_large_table(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    once = pa.array(["x" * 40_000])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), once)
    pq.write_table(pa.table({"prompt": column}), path, store_schema=False)
    assert path.stat().st_size < 100_000  # and 800 MB of text
    assert problem(path).endswith("its columns prompt hold more than 64 times its size")


def test_texts_refuse_images_inside_tables(tmp_path: Path) -> None:
    path = table(tmp_path, "a.jsonl", json.dumps({"image": {"bytes": "x", "path": None}}))
    with pytest.raises(DataError, match="row 1: column 'image' holds an object, not text"):
        read_table(path).texts("image")


def test_texts_refuse_half_of_a_surrogate_pair(tmp_path: Path) -> None:
    path = table(tmp_path, "a.jsonl", '{"prompt": "a \\ud83d\\ude00"}\n{"prompt": "a \\ud83d"}\n')
    with pytest.raises(DataError, match="row 2: column 'prompt' holds half of a surrogate pair"):
        read_table(path).texts("prompt")
