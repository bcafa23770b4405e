"""Sources of prompts: every format gives the same prompts, and one located line for a mistake."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unprompt import DataError
from unprompt._data.space import TextSpace
from unprompt.bank.sources import (
    Prompt,
    SourceSpec,
    find_sources,
    read_source,
    source_files,
    source_kind,
)
from unprompt.bank.store import writing_bank

TEXTS = ["a cat", "a “dog”, wet", "a cat", "über\u3000all", "", "a  cat"]
Write = Callable[[Path], Path]


def total(prompts: list[Prompt]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for prompt in prompts:
        counts[prompt.text] = counts.get(prompt.text, 0) + prompt.count
    return counts


def read(path: Path, **columns: str) -> list[Prompt]:
    return [prompt for batch in read_source(SourceSpec(path, **columns)) for prompt in batch]


def problem(path: Path, **columns: str) -> str:
    """The one line, without the folder."""
    with pytest.raises(DataError) as caught:
        read(path, **columns)
    assert len(caught.value.problems) == 1
    line = caught.value.problems[0]
    return line.replace(f"{path.parent}/", "")


def csv_text(separator: str) -> str:
    rows = [f'{i}{separator}"{text.replace(chr(34), chr(34) * 2)}"' for i, text in enumerate(TEXTS)]
    return "\n".join([f"id{separator}Prompt", *rows, ""])


def json_text() -> str:
    return "".join(json.dumps({"id": i, "prompt": text}) + "\n" for i, text in enumerate(TEXTS))


CONTENT = {
    "a.txt": "\n".join([*TEXTS, ""]),
    "a.csv": csv_text(","),
    "a.tsv": csv_text("\t"),
    "a.jsonl": json_text(),
}


def zstd(content: bytes) -> bytes:
    compressed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return compressed


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstd,
}


# What is read


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("name", CONTENT)
def test_text_files_give_their_prompts(name: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}{suffix}"
    path.write_bytes(COMPRESS[suffix](CONTENT[name].encode()))
    assert read(path) == [Prompt(text) for text in TEXTS]
    assert source_files(path) == [path]


def test_a_compressed_file_may_have_any_name_and_several_parts(tmp_path: Path) -> None:
    for number, suffix in enumerate((".gz", ".zst")):
        compress = COMPRESS[suffix]
        path = tmp_path / f"{number}.txt"
        path.write_bytes(compress(b"one\ntw") + compress(b"o\nthree"))
        assert [prompt.text for prompt in read(path)] == ["one", "two", "three"]


def parquet(path: Path, **more: object) -> Path:
    pq.write_table(pa.table({"prompt": [*TEXTS, None], **more}), path, row_group_size=3)
    return path


def test_parquet_counts_the_rows_of_a_prompt(tmp_path: Path) -> None:
    prompts = read(parquet(tmp_path / "a.parquet"))
    assert prompts[0] == Prompt("a cat", 2)
    assert total(prompts) == {"a cat": 2, "a “dog”, wet": 1, "über\u3000all": 1, "": 2, "a  cat": 1}
    assert list(total(prompts)) == list(dict.fromkeys(TEXTS))


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]
)
def test_parquet_texts_may_be_stored_in_any_way(kind: pa.DataType, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array(TEXTS, pa.string()).cast(kind)}), path)
    assert total(read(path)) == total([Prompt(text) for text in TEXTS])


def test_diffusiondb_is_known_by_its_columns_and_each_prompt_is_there_once(tmp_path: Path) -> None:
    names = ["image_name", "part_id", "seed", "step", "cfg", "sampler", "width", "height"]
    table = {name: [0] * 3000 for name in names}
    table["prompt"] = [f"prompt {i % 700}" for i in range(3000)]  # type: ignore[misc]
    path = tmp_path / "metadata.parquet"
    pq.write_table(pa.table(table), path)
    assert source_kind(path) == "diffusiondb"
    prompts = read(path)
    assert total(prompts) == {f"prompt {i}": 5 if i < 200 else 4 for i in range(700)}
    assert len(prompts) < 1500  # at most once a batch


def test_columns_are_chosen_and_counts_added(tmp_path: Path) -> None:
    table = {"prompt": ["x"] * 3, "Title": ["a", "b", "a"], "times": [2, 3, 4]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    lines = ["prompt,Title,times", "x,a,2", "x,b,3.0", "x,a, 4"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name in ("a.parquet", "a.csv", "a.jsonl"):
        prompts = read(tmp_path / name, column="title", count_column="TIMES")
        assert total(prompts) == {"a": 6, "b": 3}


def test_keys_of_json_lines_may_come_later(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1}\n\n{"id": 2, "caption": "a"}\n{"caption": 7}\n')
    assert [prompt.text for prompt in read(path)] == ["", "a", "7"]


# Folders


def arrow(path: Path, texts: list[str | None], stream: bool = True) -> Path:
    table = pa.table({"prompt": pa.array(texts, pa.string()), "n": [2] * len(texts)})
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with path.open("wb") as file, opened(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


def saved_dataset(folder: Path, shards: list[list[str | None]], **state: object) -> Path:
    """As `datasets.Dataset.save_to_disk` of version 5.2 writes it; its file order is the list's."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{len(shards):05d}.arrow" for i in range(len(shards))]
    for name, texts in zip(names, shards, strict=True):
        arrow(folder / name, texts)
    content = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", **state}
    (folder / "state.json").write_text(json.dumps(content))
    (folder / "dataset_info.json").write_text('{"features": {}}')
    return folder


def test_saved_datasets_are_read_in_their_order(tmp_path: Path) -> None:
    folder = saved_dataset(tmp_path / "data", [["z", "a", "z"], ["b", None]])
    assert find_sources([folder]) == [SourceSpec(folder)]
    assert source_kind(folder) == "dataset"
    assert total(read(folder)) == {"z": 2, "a": 1, "b": 1, "": 1}
    assert list(total(read(folder))) == ["z", "a", "b", ""]
    assert total(read(folder, column="prompt", count_column="n")) == {"z": 4, "a": 2, "b": 2, "": 2}
    assert [path.name[:10] for path in source_files(folder)] == ["data-00000", "data-00001"]


def test_a_dictionary_of_splits_is_one_source_a_split(tmp_path: Path) -> None:
    for name in ("train", "test"):
        saved_dataset(tmp_path / "all" / name, [[name]])
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    sources = find_sources([tmp_path / "all"])
    assert [read(source.path) for source in sources] == [[Prompt("train")], [Prompt("test")]]


def test_a_cached_dataset_and_arrow_files_of_either_format(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text("{}")
    arrow(tmp_path / "x-00000.arrow", ["a"], stream=False)
    arrow(tmp_path / "x-00001.arrow", ["b"])
    assert read(tmp_path) == [Prompt("a"), Prompt("b")]


def bank_of(folder: Path, counts: dict[str, int]) -> None:
    space = TextSpace(plugin="letters", identity="1")
    with writing_bank(folder, space, 2, shard_rows=2) as writer:
        writer.add([*counts], [*counts.values()], np.ones((len(counts), 2), np.float16))
        writer.close([], [])


def test_a_bank_gives_its_prompts_with_their_counts(tmp_path: Path) -> None:
    bank_of(tmp_path / "bank", {"a": 3, "b": 1, "c": 2})
    assert find_sources([tmp_path / "bank"]) == [SourceSpec(tmp_path / "bank")]
    assert read(tmp_path / "bank") == [Prompt("a", 3), Prompt("b", 1), Prompt("c", 2)]
    assert source_files(tmp_path / "bank") == [tmp_path / "bank" / "manifest.json"]


def test_a_bank_in_a_folder_is_read_as_a_bank_and_the_one_to_write_not_at_all(
    tmp_path: Path,
) -> None:
    """Its shards are Parquet files, in which nothing says that counts are beside the prompts."""
    (tmp_path / "a.txt").write_text("a\n")
    for name in ("bank", "sub/own"):
        bank_of(tmp_path / name, {"a": 3})
    (tmp_path / "sub" / "b.txt").write_text("b\n")
    (tmp_path / "sub" / "link").symlink_to(tmp_path / "sub" / "own")
    own = tmp_path / "sub" / ".." / "sub" / "own"
    sources = [SourceSpec(tmp_path / name) for name in ("a.txt", "bank", "sub/b.txt")]
    assert find_sources([tmp_path], output=own) == sources
    assert find_sources([tmp_path / "*"], output=own) == sources
    assert find_sources([own], output=own) == [SourceSpec(own)]  # which building refuses
    assert total(read(tmp_path / "bank")) == {"a": 3}


def test_an_unfinished_bank_is_no_source(tmp_path: Path) -> None:
    folder = tmp_path / "all" / "bank"
    bank_of(folder, {"a": 3})
    (folder / "manifest.json").unlink()
    (folder / ".building").mkdir()
    for name in (folder, tmp_path / "all", tmp_path / "a*", tmp_path / "*" / "b*"):
        with pytest.raises(DataError) as caught:
            find_sources([name])
        assert str(caught.value).startswith(f"{folder}: an unfinished bank (")
    (folder.parent / "a.txt").write_text("a\n")
    found = find_sources([folder.parent], output=folder)
    assert found == [SourceSpec(folder.parent / "a.txt")]


def test_folders_and_globs_are_several_sources_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a.csv.gz", "sub/c.jsonl", ".hidden.txt", "image.png", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [source.path.relative_to(tmp_path).as_posix() for source in find_sources([tmp_path])]
    assert names == ["a.csv.gz", "b.txt", "sub/c.jsonl"]
    sources = find_sources([tmp_path / "b.*", tmp_path / "**/*.jsonl", tmp_path], column="x")
    names = [source.path.relative_to(tmp_path).as_posix() for source in sources]
    assert names == ["b.txt", "sub/c.jsonl", "a.csv.gz"]
    assert {source.column for source in sources} == {"x"}


# Memory


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    for name, line in (("a.txt.gz", "{}\n"), ("a.jsonl.zst", '{{"text": "{}"}}\n')):
        path = tmp_path / name
        text = "".join(line.format(f"prompt {i} {'x' * 300}") for i in range(60_000))
        path.write_bytes(COMPRESS[path.suffix](text.encode()))
        del text
        tracemalloc.start()
        rows = sum(len(batch) for batch in read_source(SourceSpec(path)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert rows == 60_000
        assert peak < 8 << 20  # the file holds 19 MB


# Mistakes

NO_COLUMN = (
    ": needs one column of prompt, text, caption; has 'id', 'title' (is the header line there?)"
)
KNOWN = (
    ".txt, .csv, .tsv, .jsonl, .ndjson, .parquet, all but the last one also with .gz or .zst "
    "behind it"
)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid"
BAD = {
    "empty.txt": (b"", ": the file is empty"),
    "empty.csv.gz": (gzip.compress(b""), ": the file is empty"),
    "header.csv": (b"id,prompt\n", ": has no rows"),
    "latin.txt": ("a\nbüro\n".encode("latin-1"), ":2: not UTF-8"),
    "latin.csv": ("prompt\na\nbüro\n".encode("latin-1"), ":3: not UTF-8"),
    "broken.jsonl": (b'{"prompt": "a"}\n{"prompt": }\n', ":2:12: not JSON: Expecting value"),
    "list.jsonl": (b'["a"]\n', ":1: should be an object, but is a list"),
    "fields.csv": (b"id,prompt\n1,a\n2,b,c\n", ":3: 3 fields, but the header has 2"),
    "quote.tsv": (b'id\tprompt\n1\t"a"b\n', ":2: not valid CSV: '\t' expected after '\"'"),
    "none.csv": (b"id,title\n1,a\n", NO_COLUMN),
    "none.jsonl": (b'{"id": 1}\n{"title": 2}\n', NO_COLUMN),
    "both.csv": (
        b"text,prompt\n1,a\n",
        ": the columns 'text', 'prompt' mean the same; keep one of them",
    ),
    "value.jsonl": (b'{"prompt": [1]}\n', ":1: column 'prompt' holds a list, not text"),
    "surrogate.jsonl": (
        b'{"prompt": "\\ud800"}\n',
        ":1: column 'prompt' holds half of a surrogate pair",
    ),
    "plain.txt.gz": (b"a\n", ": is not compressed with gzip, as its name says"),
    "other.txt.zst": (gzip.compress(b"a"), ": is not compressed with zstd, as its name says"),
    "long.txt": (
        b"a\n" + b"x" * 100_001,
        ":2: the prompt holds 100,001 letters; at most 100,000 are read",
    ),
    "other.npy": (b"", ": embeddings are no source of prompts; see `unprompt bank import`"),
    "other.png": (
        b"a",
        f": not a source of prompts; known are {KNOWN}",
    ),
    "pointer.txt": (POINTER, ": a Git LFS pointer, not the file: run `git lfs pull`"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_one_located_line(name: str, tmp_path: Path) -> None:
    content, line = BAD[name]
    (tmp_path / name).write_bytes(content)
    assert problem(tmp_path / name) == f"{name}{line}"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_cut_file_is_named_with_its_line(suffix: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    text = "".join(f"{number}\n" for number in rng.integers(0, 10**9, 20_000))
    whole = COMPRESS[suffix](text.encode())
    path = tmp_path / f"a.txt{suffix}"
    for cut in (len(whole) - 1, len(whole) // 2, 6):
        path.write_bytes(whole[:cut])
        name, line, rest = problem(path).split(":", 2)
        assert (name, rest) == (path.name, " the compressed file is cut in this line")
        assert 1 <= int(line) <= 20_001
    assert int(line) == 1


@pytest.mark.parametrize(
    ("value", "what"),
    [("0", "the text '0'"), ("-1", "the text '-1'"), ("1.5", "the text '1.5'"), ("", "the text ''"),
     ("x", "the text 'x'"), ("99999999999999999", "the text '99999999999999999'")],
)  # fmt: skip
def test_a_count_is_a_positive_integer(value: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"prompt,n\na,1\nb,{value}\n")
    line = f"a.csv:3: column 'n' holds {what}, not a count from 1 to 9,007,199,254,740,992"
    assert problem(path, count_column="n") == line


def test_counts_of_parquet_are_checked_too(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", n=[1, 1, 1, 0, 1, 1, 1])
    line = "a.parquet: row 4: column 'n' holds the number 0, not a count from 1 to "
    assert problem(path, count_column="n") == line + "9,007,199,254,740,992"


def test_parquet_without_the_column_names_those_it_has(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", seed=[0] * 7)
    line = "a.parquet: needs one column of title; has 'prompt', 'seed' (is the header line there?)"
    assert problem(path, column="title") == line


def test_a_column_of_images_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"prompt": [b"\x89PNG"]}), path)
    assert problem(path).startswith("a.parquet: column 'prompt' holds images (binary), not text")
    path.write_bytes(path.read_bytes()[:-9])
    assert problem(path).startswith("a.parquet: cannot be read: ")
    folder = saved_dataset(tmp_path / "data", [["a"] * 50])
    file = next(folder.glob("*.arrow"))
    file.write_bytes(file.read_bytes()[:300])
    assert problem(folder).startswith(f"data/{file.name}: cannot be read: ")


def spoilt(texts: list[bytes], kind: pa.DataType) -> pa.Array:
    """Bytes that are called text, which Arrow does not look at."""
    values = pa.array(texts, pa.large_binary() if kind == pa.large_string() else pa.binary())
    return pa.Array.from_buffers(kind, len(texts), values.buffers())


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_column_that_is_not_utf_8_is_one_line(kind: pa.DataType, tmp_path: Path) -> None:
    table = pa.table({"prompt": spoilt([b"a fox", b"\xff"], kind), "n": [1, 1]})
    pq.write_table(table, tmp_path / "a.parquet")
    line = "rows 1 to 2: a text is not UTF-8"
    assert problem(tmp_path / "a.parquet") == f"a.parquet: {line}"
    folder = saved_dataset(tmp_path / "data", [["a"]])
    with pa.ipc.new_stream(next(folder.glob("*.arrow")), table.schema) as writer:
        writer.write_table(table)
    assert problem(folder) == f"data/data-00000-of-00001.arrow: {line}"


def test_counts_of_one_prompt_are_added_without_overflow(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["a"] * 1100, "n": [2**53] * 1100})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", count_column="n") == [Prompt("a", 1100 * 2**53)]


def test_broken_folders_are_refused(tmp_path: Path) -> None:
    folder = saved_dataset(tmp_path / "a", [["a"], ["b"]])
    next(folder.glob("data-00001*")).unlink()
    line = "a/data-00001-of-00002.arrow: no such file; state.json names it"
    assert problem(folder) == line
    old = saved_dataset(tmp_path / "b", [["a"]], _indices_data_files=[{"filename": "i.arrow"}])
    assert problem(old).startswith("b/state.json: keeps a selection of rows apart; ")
    away = saved_dataset(tmp_path / "c", [["a"]], _data_files=[{"filename": "../x.arrow"}])
    assert problem(away) == "c/state.json: names no data files"
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    for name, line in {
        "d": "d/train: no such folder; dataset_dict.json names it",
        "e": "e: no such file or folder",
        "*.csv": "*.csv: matches nothing",
    }.items():
        with pytest.raises(DataError) as caught:
            find_sources([tmp_path / name])
        assert caught.value.problems == (f"{tmp_path}/{line}",)
    (tmp_path / "f").mkdir()
    with pytest.raises(DataError, match="f: holds no prompts: no bank, no saved dataset, and no"):
        find_sources([tmp_path / "f"])
    with pytest.raises(DataError, match="no source of prompts was named"):
        find_sources([])


def test_what_has_no_columns_takes_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    assert (
        problem(tmp_path / "a.txt", column="x")
        == "a.txt: lines of text have no columns to choose from"
    )
