"""Prompts longer than any text encoder reads, and tables wider than any, are refused in a line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unprompt._data.prompts import read_prompts
from unprompt._data.tables import read_table
from unprompt.errors import DataError

LIMIT = 100_000


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_prompts(path)
    (line,) = caught.value.problems
    return line


def write(path: Path, prompts: list[str]) -> Path:
    """A table of the suffix's kind with the ids 0, 1, ..."""
    rows = [{"image_id": str(i), "prompt": prompt} for i, prompt in enumerate(prompts)]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        lines = [f"{row['image_id']},{row['prompt']}" for row in rows]
        path.write_text("\n".join(["image_id,prompt", *lines]))
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_prompt_that_is_too_long_is_refused_with_its_row(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", ["a cat", "é" * (LIMIT + 1)])
    line = refusal(path)
    assert ("a.jsonl:2" if suffix == "jsonl" else "row 2") in line
    assert "holds 100,001 letters; at most 100,000 are read" in line


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_prompt_of_the_limit_is_read(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", ["a cat", "é" * LIMIT])
    assert read_prompts(path)["1"] == "é" * LIMIT


def test_the_footer_alone_refuses_a_parquet_of_one_huge_prompt(tmp_path: Path) -> None:
    line = refusal(write(tmp_path / "a.parquet", ["word " * 200_000]))
    assert "row 1: column 'prompt' holds more than 100,000 letters" in line


def test_a_long_text_that_many_rows_share_is_never_expanded(tmp_path: Path) -> None:
    """40 MB in 2,000 rows of a small file: 80 GB, which no process here may have."""
    texts = pa.array(["a cat", "x" * 40_000_000])
    prompts = pa.DictionaryArray.from_arrays(pa.array([0, *[1] * 1999], pa.int32()), texts)
    table = pa.table({"image_id": [str(i) for i in range(2000)], "prompt": prompts})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, store_schema=False, compression="zstd")
    code = (
        "import sys; from pathlib import Path\n"
        "from unprompt._members.dry_run import peak_memory\n"  # without the parent process's
        "from unprompt._data.prompts import read_prompts\n"
        "from unprompt.errors import DataError\n"
        "try:\n    read_prompts(Path(sys.argv[1]))\n"
        "except DataError as error:\n    print(error)\n"
        "print(peak_memory())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    line, peak = ran.stdout.splitlines()
    assert "row 2: column 'prompt' holds 40,000,000 letters" in line
    assert int(peak) < 1_000_000_000


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_more_columns_than_any_table_has_are_refused(tmp_path: Path, suffix: str) -> None:
    names, path = [f"c{i}" for i in range(10_001)], tmp_path / f"a.{suffix}"
    if suffix == "csv":
        path.write_text(",".join(names) + "\n")
    elif suffix == "jsonl":
        path.write_text(json.dumps(dict.fromkeys(names, 1)))
    else:
        pq.write_table(pa.table({name: [1] for name in names}), path)
    with pytest.raises(DataError, match="more than 10,000 columns"):
        read_table(path, ["prompt"])


@pytest.mark.parametrize("prompt", ["\0", "\u200b", "\x01 \ufeff", "\u2028", "\u3000"])
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_prompt_of_which_nothing_is_seen_is_empty(
    tmp_path: Path, suffix: str, prompt: str
) -> None:
    assert refusal(write(tmp_path / f"a.{suffix}", ["a cat", prompt])).endswith(
        "empty prompt for '1'"
    )


def test_invisible_letters_inside_a_prompt_are_kept(tmp_path: Path) -> None:
    family = "\U0001f469\u200d\U0001f467"
    assert read_prompts(write(tmp_path / "a.jsonl", [family])) == {"0": family}
