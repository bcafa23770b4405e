"""The dataset `kaggle`: prompts.csv and images/, joined by id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt import Dataset
from unprompt._builtin.kaggle import Kaggle, KaggleOptions
from unprompt._data.images import Files
from unprompt._data.prompts import prompt_id
from unprompt.contracts import Record

SaveImage = Callable[..., Path]
KaggleFolder = Callable[[Path, str, str], Kaggle]
Problems = Callable[[Dataset], tuple[str, ...]]


SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "kaggle-sample"

needs_sample = pytest.mark.skipif(
    not SAMPLE.is_dir(), reason="the competition's seven public images are not beside the repo"
)


@pytest.fixture
def kaggle_folder(save_image: SaveImage) -> KaggleFolder:
    """``kaggle_folder(folder, table, images)``: write the folder and give its dataset."""

    def write(folder: Path, table: str, images: str) -> Kaggle:
        for name in images.split():
            save_image(folder / "images" / name)
        (folder / "prompts.csv").write_text(table)
        return Kaggle(KaggleOptions.model_validate({"folder": str(folder)}))

    return write


@needs_sample
def test_the_competitions_sample_is_read() -> None:
    dataset = Kaggle(KaggleOptions.model_validate({"folder": str(SAMPLE)}))
    records = {record.image_id: record for record in dataset.records()}
    assert len(records) == 7
    assert records["f27825b2c"].prompt.endswith("proclaims \"Donuts. It's what's for dinner!\"")
    assert dataset.images().ids == tuple(records)
    assert dataset.images().open("20057f34d").size == (512, 512)


def test_kaggle_joins_by_id(tmp_path: Path, kaggle_folder: KaggleFolder) -> None:
    table = 'imgId,prompt\nb,"two, ""2"""\na,one\nc, one \n'
    dataset = kaggle_folder(tmp_path, table, "a.png c.png b.JPG")
    assert dataset.records() == (
        Record("b", prompt_id('two, "2"'), 'two, "2"'),
        Record("a", prompt_id("one"), "one"),
        Record("c", prompt_id("one"), "one"),
    )
    images = dataset.images()
    assert images.ids == ("b", "a", "c")
    assert isinstance(images.source, Files)
    assert images.source.paths["b"] == tmp_path / "images/b.JPG"


def test_kaggle_lists_all_problems(
    tmp_path: Path, kaggle_folder: KaggleFolder, problems: Problems
) -> None:
    table = "imgId,prompt\na,one\na,two\nb,\nc,three\n"
    dataset = kaggle_folder(tmp_path, table, "a.png b.png x.png")
    assert problems(dataset) == (
        f"{tmp_path}/prompts.csv: repeated ids 'a'",
        f"{tmp_path}/prompts.csv: empty prompt for 'b'",
        f"{tmp_path}/prompts.csv: no image for 'c'",
        f"{tmp_path}/prompts.csv: no row for '{tmp_path}/images/x.png'",
    )


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("imgId,prompt\n", "the table has no rows"),
        ("imgId,text\na,one\n", "needs one column of prompt; has 'imgId', 'text'"),
        ("name,prompt\na,one\n", "needs one column of image_id, imgId; has 'name', 'prompt'"),
    ],
)
def test_kaggle_tables_without_rows_or_columns_are_refused(
    tmp_path: Path, table: str, line: str, kaggle_folder: KaggleFolder, problems: Problems
) -> None:
    (problem,) = problems(kaggle_folder(tmp_path, table, "a.png"))
    assert problem.startswith(f"{tmp_path}/prompts.csv: {line}")


def test_a_kaggle_folder_without_files_is_refused(
    tmp_path: Path, kaggle_folder: KaggleFolder, problems: Problems
) -> None:
    dataset = Kaggle(KaggleOptions.model_validate({"folder": str(tmp_path)}))
    assert problems(dataset) == (f"{tmp_path}/prompts.csv: no such file",)
    assert problems(kaggle_folder(tmp_path, "imgId,prompt\na,one\n", "")) == (
        f"{tmp_path}/images: no such file or folder",
    )
