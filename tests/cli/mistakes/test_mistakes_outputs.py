"""Outputs that cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]


def test_predict_below_a_regular_file(
    mistake: Callable[..., list[str]], images: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("here")
    output = tmp_path / "file" / "sub" / "out.csv"
    # Even the missing ensemble comes second: the output is checked before anything is read.
    (line,) = mistake("predict", "none.yaml", images, "-o", output)
    assert line.startswith(f"{output}: cannot be written: ")


def test_predict_onto_a_folder(
    mistake: Callable[..., list[str]], ensemble: Path, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").mkdir()
    (line,) = mistake("predict", ensemble, images, "-o", "out.csv")
    assert line == "out.csv: is a folder, not a file"


def test_a_failed_predict_makes_no_folders(mistake: Callable[..., list[str]], images: Path) -> None:
    (line,) = mistake("predict", "none.yaml", images, "-o", "new/folder/out.csv")
    assert line.startswith("none.yaml: cannot be read")


@pytest.mark.parametrize("words", [["-o", "out.csv", "--format", "xml"], ["-o", "out.xml"]])
def test_unknown_formats(
    words: list[str], mistake: Callable[..., list[str]], ensemble: Path, images: Path
) -> None:
    (line,) = mistake("predict", ensemble, images, *words)
    assert "xml" in line
    assert line.endswith("there are kaggle (.csv), jsonl (.jsonl), parquet (.parquet), npy (.npy)")


def test_run_below_a_regular_file(
    mistake: Callable[..., list[str]], small_experiment: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("here")
    output = tmp_path / "file" / "sub" / "run"
    (line,) = mistake("run", small_experiment, "--output", output)
    assert line.startswith(f"{output}: cannot be written: ")


def test_run_into_a_folder_that_holds_something(
    mistake: Callable[..., list[str]], small_experiment: Path, images: Path
) -> None:
    (line,) = mistake("run", small_experiment, "--output", images)
    assert line == f"{images}: exists already; choose another folder or remove it"


def test_predict_with_a_folder_that_is_no_run(
    mistake: Callable[..., list[str]], images: Path
) -> None:
    (line,) = mistake("predict", images, images, "-o", "out.csv")
    what = "no ensemble.yaml in it, so it is neither an ensemble nor a finished run"
    assert line == f"{images}: {what}"
