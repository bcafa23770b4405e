"""The dataset `imagefolder`: images with tables beside them, or a text beside each."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt._builtin.imagefolder import ImageFolder, ImageFolderOptions
from unprompt._data.prompts import prompt_id
from unprompt.contracts import Record
from unprompt.errors import DataError

from .shard_files import image_bytes, write_parquet

Files = dict[str, bytes | str]


def dataset(folder: Path, **options: object) -> ImageFolder:
    return ImageFolder(ImageFolderOptions.model_validate({"folder": str(folder), **options}))


def problems(folder: Path, **options: object) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        dataset(folder, **options).records()
    return caught.value.problems


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Files], Path]:
    """Writes files below a folder; a name that ends in .png alone is an image."""

    def write(files: Files) -> Path:
        for name, content in files.items():
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "images"

    return write


def images(*names: str) -> Files:
    return {name: image_bytes(i) for i, name in enumerate(names)}


def test_a_text_beside_each_image(write: Callable[[Files], Path]) -> None:
    folder = write(
        {**images("b.png", "sub/a.png"), "b.txt": " a cat\n", "sub/a.caption": "\ufeffa dog"}
    )
    made = dataset(folder)
    assert made.records() == (
        Record("b", prompt_id("a cat"), "a cat"),
        Record("sub/a", prompt_id("a dog"), "a dog"),
    )
    assert made.images().open("sub/a").size == (9, 7)
    assert made.images().path("b") == folder / "b.png"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_as_hugging_face_has_it(write: Callable[[Files], Path], suffix: str) -> None:
    folder = write(images("a.png", "x/b.png"))
    rows = {"file_name": ["x/b.png", "a.png"], "text": ["a dog", "a cat"], "weight": ["2", "1"]}
    table = folder / f"metadata.{suffix}"
    if suffix == "parquet":
        write_parquet(table, rows)
    elif suffix == "csv":
        table.write_text(
            "\n".join(
                ",".join(row) for row in zip(*([k, *v] for k, v in rows.items()), strict=True)
            )
        )
    else:
        lines = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
        table.write_text("\n".join(map(json.dumps, lines)))
    assert dataset(folder).records() == (
        Record("x/b", prompt_id("a dog"), "a dog", weight=2.0),
        Record("a", prompt_id("a cat"), "a cat"),
    )


def test_a_table_in_every_folder_and_folders_that_are_splits(
    write: Callable[[Files], Path],
) -> None:
    tops = ("train", "Validation", "test")
    tables: Files = {f"{top}/metadata.csv": f"file_name,text\na.png,in {top}\n" for top in tops}
    folder = write({**images(*(f"{top}/a.png" for top in tops)), **tables})
    assert {r.image_id: (r.split, r.prompt) for r in dataset(folder).records()} == {
        f"{top}/a": (None, f"in {top}") for top in tops
    }
    splits = [r.split for r in dataset(folder, split_folders=True).records()]
    assert sorted(map(str, splits)) == ["holdout", "test", "train"]
    write({**images("other/b.png"), "other/metadata.csv": "file_name,text\nb.png,b\n"})
    (line,) = problems(folder, split_folders=True)
    assert "in none of the folders train, validation and test: " in line
    assert "other/b.png" in line


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (images("z.png"), "no prompt: 1: 'z'"),
        ({**images("z.png"), "z.txt": ""}, "no prompt: 1: 'z'"),
        ({**images("z.png"), "z.txt": b"caf\xe9"}, "not UTF-8 at byte 3: 1: 'z'"),
        ({**images("z.png"), "z.txt": "a" * 500_000}, "larger than 400,000 bytes: 1: 'z'"),
    ],
)
def test_a_broken_sample_is_counted_and_named(
    write: Callable[[Files], Path], more: Files, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("a.png", "b.png", "c.png")
    folder = write({**images(*names), **{f"{n[0]}.txt": n for n in names}, **more})
    with caplog.at_level(logging.WARNING):
        assert len(dataset(folder, broken=0.25).records()) == 3
    (line,) = caplog.messages
    assert says in line
    assert "1 of 4 samples cannot be used" in problems(folder, broken=0.2)[0]


def test_rows_that_name_nothing(write: Callable[[Files], Path]) -> None:
    table = "file_name,text\na.png,a\ngone.png,b\nb.png,\n,c\n"
    folder = write({**images("a.png", "b.png"), "metadata.csv": table})
    head, *lines = problems(folder)
    assert head == (
        f"{folder}: 3 of 4 samples cannot be used, more than the share of 0.01 (option `broken`)"
    )
    assert lines == [
        f"{folder}: left out, no such image: 1: 'gone'",
        f"{folder}: left out, no prompt: 1: 'b'",
        f"{folder}: left out, no file is named: 1: ''",
    ]


def test_a_corrupt_image_is_an_error_when_it_is_opened(write: Callable[[Files], Path]) -> None:
    folder = write({"a.png": image_bytes(0)[:60], "a.txt": "a", **images("b.png"), "b.txt": "b"})
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image"):
        dataset(folder).images().open("a")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.md": "x"}, "no image in this folder"),
        ({"metadata.csv": "file_name\na.png\n"}, "needs one column of prompt"),
        ({"metadata.csv": "text\na\n"}, "needs one column of image"),
        ({**images("a.png"), "metadata.csv": "file_name,text\n" + "a.png,x\n" * 2}, "repeated ids"),
        (
            {**images("a.png"), "metadata.csv": "file_name,text,split\na.png,x,tset\n"},
            "split should be train",
        ),
    ],
)
def test_folders_that_are_something_else(
    write: Callable[[Files], Path], files: Files, says: str
) -> None:
    (line,) = problems(write(files))
    assert says in line


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert problems(tmp_path / "x") == (f"{tmp_path}/x: no such folder",)
