"""Tables of prompts: their columns, their problems, and the join with predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unprompt._data.prompts import join, path_id, prompt_id, read_prompts
from unprompt.embeddings import Embeddings, unit
from unprompt.errors import DataError


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


def test_ids_in_another_unicode_form_are_said_to_be_that() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    predictions = Embeddings((decomposed, "b"), unit([[1.0, 0.0], [0.0, 1.0]]))
    with pytest.raises(DataError) as caught:
        join(predictions, {composed: "a cup", "b": "a cat"})
    (line,) = caught.value.problems
    assert line.startswith("1 ids of predictions and prompts are the same letters in different ")
    assert repr(composed) in line
    assert join(predictions, {decomposed: "a cup", "b": "a cat"}) == (decomposed, "b")
