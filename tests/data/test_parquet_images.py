"""The dataset `parquet-images`: Parquet files that hold images as bytes."""

from __future__ import annotations

import hashlib
import io
import logging
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from unprompt._builtin.parquet_images import ParquetImagesOptions, ParquetImageTables
from unprompt._data.prompts import prompt_id
from unprompt._data.shards import parquet_images as opening
from unprompt._data.shards.parquet_images import ParquetImages
from unprompt.contracts import Record
from unprompt.errors import DataError

from .shard_files import image_bytes, structs, write_parquet


def dataset(*shards: Path | str, **options: object) -> ParquetImageTables:
    given = {"shards": list(map(str, shards)), **options}
    return ParquetImageTables(ParquetImagesOptions.model_validate(given))


def problems(*shards: Path | str, **options: object) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        dataset(*shards, **options).records()
    return caught.value.problems


def pixels(seed: int) -> bytes:
    return Image.open(io.BytesIO(image_bytes(seed))).convert("RGB").tobytes()


def columns(first: int, count: int, *, plain: bool = False, **more: Any) -> dict[str, Any]:
    contents = [image_bytes(i) for i in range(first, first + count)]
    images = pa.array(contents, pa.binary()) if plain else structs(contents)
    return {"image": images, "text": [f"prompt {i}" for i in range(first, first + count)], **more}


@pytest.mark.parametrize("plain", [True, False])
def test_records_and_images(tmp_path: Path, plain: bool) -> None:
    for shard in range(2):
        write_parquet(tmp_path / f"p-{shard}.parquet", columns(6 * shard, 6, plain=plain))
    made = dataset(tmp_path / "p-*.parquet")
    ids = [f"p-{i // 6}/{i % 6}" for i in range(12)]
    assert made.records() == tuple(
        Record(name, prompt_id(f"prompt {i}"), f"prompt {i}") for i, name in enumerate(ids)
    )
    images = made.images()
    for i in (11, 0, 7, 5):
        assert images.open(ids[i]).tobytes() == pixels(i)
        assert images.digest(ids[i]) == hashlib.sha256(image_bytes(i)).hexdigest()
    assert images.blocks() == (4, 2, 4, 2), "row groups"


def test_columns_of_other_names(tmp_path: Path) -> None:
    table = {
        "PNG": [image_bytes(0), image_bytes(1)],
        "title": ["a cat", "a dog"],
        "text": ["x", "y"],
        "imgId": ["one", 2 * "t"],
        "group": ["g", "h"],
        "split": ["train", "dev"],
        "weight": [0.5, None],
        "subset": [None, "seen"],
        "prompt_id": [7, 8],
    }
    path = write_parquet(tmp_path / "p.parquet", table)
    made = dataset(path, image="png", prompt="title")
    assert made.records() == (
        Record("one", "7", "a cat", "g", "train", 0.5),
        Record("tt", "8", "a dog", "h", "holdout", 1.0, "seen"),
    )
    again = pickle.loads(pickle.dumps(made.images().source))
    assert again.open("tt").tobytes() == pixels(1)


def test_a_row_group_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_parquet(tmp_path / "p.parquet", columns(0, 12))
    images = dataset(path).images()
    read: list[int] = []
    honest = ParquetImages._read

    def counted(self: ParquetImages, shard: int, number: int) -> list[bytes]:
        read.append(number)
        return honest(self, shard, number)

    monkeypatch.setattr(ParquetImages, "_read", counted)
    with ThreadPoolExecutor(6) as threads:
        opened = list(threads.map(lambda i: images.open(f"p/{i % 12}").tobytes(), range(48)))
    assert opened == [pixels(i % 12) for i in range(48)]
    assert sorted(read) == [0, 1, 2]


def test_row_groups_that_are_too_many_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "KEPT", 1)
    path = write_parquet(tmp_path / "p.parquet", columns(0, 12))
    images = dataset(path).images()
    for i in (0, 11, 5, 0):
        assert images.open(f"p/{i}").tobytes() == pixels(i)
    assert len(images.source._groups) == 1  # type: ignore[attr-defined]  # of our own kind


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"image": structs([None])}, "the image is a path without bytes"),
        ({"image": pa.array([None], structs([b""]).type)}, "no image"),
        ({"image": structs([b""])}, "the image is a path without bytes"),
        ({"text": pa.array([None], pa.string())}, "no prompt"),
        ({"text": [" "]}, "no prompt"),
        ({"text": ["a" * 100_001]}, "more than 100,000 letters"),
    ],
)
def test_a_broken_row_is_counted_and_named(
    tmp_path: Path, bad: dict[str, Any], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = pa.table(columns(0, 3))
    row = pa.table({**columns(3, 1), **bad})
    both = pa.concat_tables([good, row.cast(good.schema)])
    path = write_parquet(
        tmp_path / "p.parquet", dict(zip(both.column_names, both.columns, strict=True))
    )
    with caplog.at_level(logging.WARNING):
        assert len(dataset(path, broken=0.25).records()) == 3
    (line,) = caplog.messages
    assert line.startswith(f"{path}: left out, ")
    assert says in line
    assert line.endswith("1: 'row 3'")
    assert "1 of 4 samples cannot be used" in problems(path, broken=0.2)[0]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"text": ["a"]}, "needs one column of image; has 'text'"),
        ({"image": [b"x"]}, "needs one column of prompt, text, caption; has 'image'"),
        ({"image": ["a.png"], "text": ["a"]}, "holds string, not the bytes of images; a table"),
        ({"image": [1], "text": ["a"]}, "column 'image' holds int64"),
        ({"image": [b"x"], "text": ["a"], "prompt": ["b"]}, "mean the same"),
        ({"image": pa.array([], pa.binary()), "text": pa.array([], pa.string())}, "no image with"),
        (columns(0, 2, image_id=["a", "a"]), "repeated ids 'a'"),
        (columns(0, 2, split=["train", "tset"]), "split should be train, holdout"),
        (columns(0, 2, weight=[1.0, -0.5]), "weight should be a finite number of at least 0"),
        (columns(0, 2, weight=[1.0, math.nan]), "weight should be a finite number of at least 0"),
        (columns(0, 2, weight=[math.inf, None]), "weight should be a finite number of at least 0"),
    ],
)
def test_tables_that_are_something_else(tmp_path: Path, table: dict[str, Any], says: str) -> None:
    path = write_parquet(tmp_path / "p.parquet", table)
    (line,) = problems(path)
    assert line.startswith(f"{path}: ")
    assert says in line


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(99) + b"PAR1"])
def test_files_that_are_no_parquet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.parquet").write_bytes(content)
    (line,) = problems(tmp_path / "p.parquet")
    assert line.startswith(f"{tmp_path}/p.parquet: ")


def test_a_corrupt_image_is_an_error_when_it_is_opened(tmp_path: Path) -> None:
    cut = image_bytes(0, size=(90, 90))[:2000]
    table = {"image": structs([cut, image_bytes(1)]), "text": ["a", "b"]}
    images = dataset(write_parquet(tmp_path / "p.parquet", table)).images()
    with pytest.raises(DataError, match=r"p\.parquet: p/0: cannot be read as an image: "):
        images.open("p/0")
    assert images.open("p/1").tobytes() == pixels(1)


def test_one_value_in_every_row_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of a dictionary is there once in the file, and in each row of memory."""
    from unprompt._data.shards import parquet_samples

    monkeypatch.setattr(parquet_samples, "LARGEST_GROUP", 4_000_000)
    table = {"image": [bytes(100_000)] * 300, "text": ["a"] * 300}
    path = write_parquet(tmp_path / "p.parquet", table, rows_per_group=300)
    assert path.stat().st_size < 200_000
    (line,) = problems(path)
    assert "row group 0 holds more than 4,000,000 bytes; write the table with smaller" in line


def test_a_file_that_changes_is_one_line(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "p.parquet", columns(0, 6))
    images = dataset(path).images()
    write_parquet(path, columns(0, 1))
    with pytest.raises(DataError, match="p/3: the file was changed since it was first read"):
        images.open("p/3")
    with pytest.raises(DataError, match=r"p\.parquet"):
        images.open("p/5")
