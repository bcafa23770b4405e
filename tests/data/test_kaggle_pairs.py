"""The dataset readers `kaggle` and `pairs`, and the tables of prompts below them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from unprompt._builtin import kaggle, pairs
from unprompt._builtin.kaggle import Kaggle, KaggleOptions
from unprompt._builtin.pairs import Pairs, PairsOptions
from unprompt._data.prompts import join, path_id, prompt_id, read_prompts
from unprompt.contracts import Dataset, Record
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "kaggle-sample"
needs_sample = pytest.mark.skipif(
    not SAMPLE.is_dir(), reason="the competition's seven public images are not beside the repo"
)


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2), "red").save(path)
    return path


def kaggle_folder(folder: Path, table: str, images: str) -> Kaggle:
    for name in images.split():
        image(folder / "images" / name)
    (folder / "prompts.csv").write_text(table)
    return Kaggle(KaggleOptions.model_validate({"folder": str(folder)}))


def pairs_of(table: Path, **options: str) -> Pairs:
    return Pairs(PairsOptions.model_validate({"table": str(table), **options}))


def problems(dataset: Kaggle | Pairs) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        dataset.records()
    with pytest.raises(DataError):
        dataset.images()
    return caught.value.problems


# Prompts


def test_prompt_id_ignores_white_space_around() -> None:
    assert prompt_id(" a cat\n") == prompt_id("a cat") == "51e4674156077982"
    assert prompt_id("a  cat") != prompt_id("a cat")


@pytest.mark.parametrize(
    ("name", "image_id"),
    [("a.png", "a"), ("x/b.c.png", "x/b.c"), ("./a.png", "a"), ("a", "a"), ("", ""), ("/", "/")],
)
def test_path_id(name: str, image_id: str) -> None:
    assert path_id(name) == image_id


@pytest.mark.parametrize("header", ["imgId,prompt", "image_id,Prompt", "file_name,text"])
def test_read_prompts(tmp_path: Path, header: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{header}\nb, two \na,one\n")
    assert list(read_prompts(path).items()) == [("b", "two"), ("a", "one")]


def test_read_prompts_takes_the_id_before_the_image(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"file_name": "x/a.png", "imgId": 7, "prompt": "one"}\n')
    assert read_prompts(path) == {"7": "one"}


def test_read_prompts_lists_all_problems(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("imgId,prompt\na,one\na,two\n,three\nb, \n")
    with pytest.raises(DataError) as caught:
        read_prompts(path)
    assert caught.value.problems == (
        f"{path}: no image id in row '3'",
        f"{path}: repeated ids 'a'",
        f"{path}: empty prompt for 'b'",
    )


def test_join_keeps_the_order_of_the_prompts() -> None:
    predictions = Embeddings(("a", "b"), np.eye(2, dtype=np.float32))
    assert join(predictions, {"b": "two", "a": "one"}) == ("b", "a")


def test_join_names_missing_and_extra() -> None:
    predictions = Embeddings(("a", "b"), np.eye(2, dtype=np.float32))
    with pytest.raises(DataError) as caught:
        join(predictions, {"c": "three", "a": "one"})
    assert caught.value.problems == (
        "missing prediction for 'c'",
        "prediction without a prompt: 'b'",
    )


# Kaggle


@needs_sample
def test_kaggle_sample() -> None:
    dataset = Kaggle(KaggleOptions.model_validate({"folder": str(SAMPLE)}))
    records = {record.image_id: record for record in dataset.records()}
    assert len(records) == 7
    assert records["f27825b2c"].prompt.endswith("proclaims \"Donuts. It's what's for dinner!\"")
    assert dataset.images().ids == tuple(records)
    assert dataset.images().open("20057f34d").size == (512, 512)


def test_kaggle_joins_by_id(tmp_path: Path) -> None:
    table = 'imgId,prompt\nb,"two, ""2"""\na,one\nc, one \n'
    dataset = kaggle_folder(tmp_path, table, "a.png c.png b.JPG")
    assert dataset.records() == (
        Record("b", prompt_id('two, "2"'), 'two, "2"'),
        Record("a", prompt_id("one"), "one"),
        Record("c", prompt_id("one"), "one"),
    )
    images = dataset.images()
    assert images.ids == ("b", "a", "c")
    assert images.source.paths["b"] == tmp_path / "images/b.JPG"


def test_kaggle_lists_all_problems(tmp_path: Path) -> None:
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
def test_kaggle_table_problems(tmp_path: Path, table: str, line: str) -> None:
    (found,) = problems(kaggle_folder(tmp_path, table, "a.png"))
    assert found.startswith(f"{tmp_path}/prompts.csv: {line}")


def test_kaggle_without_files(tmp_path: Path) -> None:
    dataset = Kaggle(KaggleOptions.model_validate({"folder": str(tmp_path)}))
    assert problems(dataset) == (f"{tmp_path}/prompts.csv: no such file",)
    assert problems(kaggle_folder(tmp_path, "imgId,prompt\na,one\n", "")) == (
        f"{tmp_path}/images: no such file or folder",
    )


# Pairs


@pytest.mark.parametrize(
    "column",
    ["image", "filepath", "image_path", "image_name", "file_name", "filename", "file", "path"],
)
@pytest.mark.parametrize("prompt", ["prompt", "text", "caption", "Prompt"])
def test_pairs_columns(tmp_path: Path, column: str, prompt: str) -> None:
    image(tmp_path / "x/a.png")
    (tmp_path / "t.csv").write_text(f"{column},{prompt}\nx/a.png,one\n")
    dataset = pairs_of(tmp_path / "t.csv")
    assert dataset.records() == (Record("x/a", prompt_id("one"), "one"),)
    assert dataset.images().open("x/a").size == (2, 2)


def full_rows(folder: Path) -> list[dict[str, str | None]]:
    for name in "abcd":
        image(folder / f"{name}.png")
    columns = ("image", "prompt", "image_id", "prompt_id", "group", "split")
    rows = [
        ("a.png", "one", "1", "p", "g", "train"),
        ("b.png", "two", "2", "", "h", "validation"),
        (f"{folder}/c.png", "one", "", "p", "", "TEST"),
        ("d.png", "four", "", "", "", ""),
    ]
    return [dict(zip(columns, row, strict=True)) for row in rows]


def write_table(path: Path, rows: list[dict[str, str | None]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        separator = "\t" if path.suffix == ".tsv" else ","
        lines = [separator.join(row) for row in [rows[0], *(row.values() for row in rows)]]
        path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_pairs_optional_columns(tmp_path: Path, suffix: str) -> None:
    table = write_table(tmp_path / f"t.{suffix}", full_rows(tmp_path))
    assert pairs_of(table).records() == (
        Record("1", "p", "one", "g", "train"),
        Record("2", prompt_id("two"), "two", "h", "holdout"),
        Record(f"{tmp_path}/c", "p", "one", None, "test"),
        Record("d", prompt_id("four"), "four", None, None),
    )


def test_pairs_jsonl_with_nulls_left_out(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if value} for row in full_rows(tmp_path)]
    table = write_table(tmp_path / "t.jsonl", rows)
    assert [record.split for record in pairs_of(table).records()] == [
        "train",
        "holdout",
        "test",
        None,
    ]


def test_pairs_reads_a_hugging_face_imagefolder(tmp_path: Path) -> None:
    image(tmp_path / "train/0001.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "train/0001.png", "text": "one"}\n')
    dataset = pairs_of(tmp_path / "metadata.jsonl")
    assert [record.image_id for record in dataset.records()] == ["train/0001"]


def test_pairs_images_folder(tmp_path: Path) -> None:
    image(tmp_path / "images/a.png")
    (tmp_path / "t.csv").write_text("image,prompt\na.png,one\n")
    assert problems(pairs_of(tmp_path / "t.csv")) == (
        f"{tmp_path}/t.csv: no such image: '{tmp_path}/a.png'",
    )
    dataset = pairs_of(tmp_path / "t.csv", images=f"{tmp_path}/images")
    assert dataset.images().source.paths == {"a": tmp_path / "images/a.png"}


def test_pairs_lists_all_problems(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "a.jpg")
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


# Hooks


@pytest.mark.parametrize(
    ("module", "options"), [(kaggle, {"folder": "x"}), (pairs, {"table": "x", "images": "y"})]
)
def test_hook_and_options(module: object, options: dict[str, str], tmp_path: Path) -> None:
    spec = module.unprompt_dataset()
    assert spec.name == module.__name__.rpartition(".")[2]
    package, _, name = spec.target.partition(":")
    assert issubclass(getattr(sys.modules[package], name), Dataset)
    made = spec.options.model_validate(options, context={"folder": tmp_path})
    assert {key: str(tmp_path / value) for key, value in options.items()} == made.model_dump()
    assert all(field.description for field in spec.options.model_fields.values())
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        spec.options.model_validate({**options, "colour": "red"})


def test_listing_the_readers_imports_nothing_heavy() -> None:
    code = (
        "import sys, unprompt._builtin.kaggle, unprompt._builtin.pairs, unprompt._data.predictions;"
        "print([name for name in ('PIL', 'pyarrow', 'torch') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
