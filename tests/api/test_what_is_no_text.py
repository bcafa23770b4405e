"""What callers of the Python API pass as prompts, ids or images and is none: one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import unprompt
from unprompt._data.image_input import as_images
from unprompt.embeddings import unit
from unprompt.errors import ConfigError, DataError

EMBEDDED = Path(__file__).parents[2] / "ensembles" / "embedded.yaml"
IMAGE = Image.new("RGB", (2, 2))


def embeddings() -> unprompt.Embeddings:
    return unprompt.Embeddings(("a",), unit(np.ones((1, 384), np.float32)))


@pytest.mark.parametrize(
    ("prompts", "line"),
    [
        ({"a": float("nan")}, "the prompt for 'a' is the number nan, not text"),
        ({"a": True}, "the prompt for 'a' is true, not text"),
        ({"a": 3}, "the prompt for 'a' is the number 3, not text"),
        ({"a": ["x"]}, "the prompt for 'a' is a list, not text"),
        ({"a": b"x"}, "the prompt for 'a' is a bytes, not text"),
        ({"a": "x\ud800"}, "the prompt for 'a' holds half of a surrogate pair"),
        ({"a": "x" * 100_001}, "the prompt for 'a' holds 100,001 letters; at most 100,000"),
        ({"a": None}, "empty prompt for 'a'"),
        ({"a": "\0"}, "empty prompt for 'a'"),
        ({"a": "\u200b\n"}, "empty prompt for 'a'"),
        ({1: "a"}, "image ids are text, got the number 1"),
        ({"a\udce9": "x"}, r"the image id 'a\udce9' holds half of a surrogate pair"),
        (3, "a path is text or a Path, got 3"),
    ],
)
def test_prompts_that_are_no_text(prompts: Any, line: str) -> None:
    with pytest.raises(DataError) as caught:
        unprompt.score(embeddings(), prompts)
    (problem,) = caught.value.problems
    assert problem.startswith(line)


@pytest.mark.parametrize("given", [None, 3, [None], {1: IMAGE}, {"a\udce9": IMAGE}])
def test_images_that_are_none(given: Any) -> None:
    with pytest.raises(DataError) as caught:
        as_images(given)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("overrides", [3, None, [3], "a=b"])
def test_overrides_that_are_no_list_of_texts(overrides: Any) -> None:
    with pytest.raises(ConfigError, match="overrides are") as caught:
        unprompt.load_ensemble(EMBEDDED, overrides=overrides)
    assert len(caught.value.problems) == 1
