"""Files of a dataset's folders that are no images of its rows are said, or stop it."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt import DataError, Dataset
from unprompt._builtin.kaggle import Kaggle, KaggleOptions
from unprompt._builtin.pairs import Pairs, PairsOptions
from unprompt._data.images import open_image
from unprompt._data.names import form_twins

SaveImage = Callable[..., Path]
Problems = Callable[[Dataset], tuple[str, ...]]


@pytest.fixture
def kaggle(tmp_path: Path, save_image: SaveImage) -> Kaggle:
    save_image(tmp_path / "images/a.png")
    (tmp_path / "prompts.csv").write_text("imgId,prompt\na,one\n")
    return Kaggle(KaggleOptions.model_validate({"folder": str(tmp_path)}))


def test_kaggle_says_which_files_are_no_images(
    kaggle: Kaggle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images/notes.txt").touch()
    (tmp_path / "images/.DS_Store").touch()
    with caplog.at_level(logging.WARNING, "unprompt"):
        assert kaggle.images().ids == ("a",)
    assert caplog.messages == [
        f"left out, hidden: 1 file: '{tmp_path}/images/.DS_Store'",
        f"left out, not an image: 1 file (1 .txt): '{tmp_path}/images/notes.txt'",
        "3 files: 1 named by a row, 0 skipped, 2 left out",
    ]


def test_kaggle_stops_at_what_looks_like_an_image(
    kaggle: Kaggle, tmp_path: Path, problems: Problems
) -> None:
    os.mkfifo(tmp_path / "images/fifo.png")
    name = os.fsencode(tmp_path) + b"/images/caf\xe9.png"
    Path(os.fsdecode(name)).touch()
    assert problems(kaggle) == (
        f"{tmp_path}/images/caf\\xe9.png: the name is not UTF-8: rename it",
    )


def test_kaggle_says_that_only_the_unicode_form_differs(
    tmp_path: Path, save_image: SaveImage, problems: Problems
) -> None:
    name = "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    save_image(tmp_path / "images" / (unicodedata.normalize("NFD", name) + ".png"))
    (tmp_path / "prompts.csv").write_text(f"imgId,prompt\n{name},one\n")
    lines = problems(Kaggle(KaggleOptions.model_validate({"folder": str(tmp_path)})))
    assert lines[-1] == (
        "these ids differ only in their Unicode form (NFC, NFD): 'caf\\xe9' and 'cafe\\u0301'"
    )


def test_twins_are_only_those_of_other_forms() -> None:
    assert form_twins(["a", "b"], ["c"]) == []
    names = [f"{letter}\N{COMBINING ACUTE ACCENT}" for letter in "aeiou"]
    composed = [unicodedata.normalize("NFC", name) for name in names]
    (line,) = form_twins(names, ["x", *composed])
    assert line.endswith("'i\\u0301' and '\\xed' and 2 more")


def pairs(tmp_path: Path) -> Pairs:
    (tmp_path / "t.csv").write_text("image,prompt\na.png,one\n")
    return Pairs(PairsOptions.model_validate({"table": str(tmp_path / "t.csv")}))


def test_pairs_says_which_images_no_row_names(
    tmp_path: Path, save_image: SaveImage, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        save_image(tmp_path / f"{name}.png")
    with caplog.at_level(logging.WARNING, "unprompt"):
        assert pairs(tmp_path).images().ids == ("a",)
    names = f"'{tmp_path}/b.png', '{tmp_path}/c.png'"
    assert caplog.messages == [f"left out, no row names it: 2 files: {names}"]


def test_a_fifo_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image: a FIFO"):
        open_image(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: cannot be read: a FIFO"):
        pairs(tmp_path).images().digest("a")
