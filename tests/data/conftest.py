"""What tests of data use: image files, and the problems of a dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from unprompt import DataError, Dataset


@pytest.fixture
def save_image() -> Callable[..., Path]:
    """``save_image(path, colour="red", format=None)``: write a plain image of 2 x 2 pixels."""

    def save(path: Path, colour: str = "red", format: str | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2), colour).save(path, format=format)
        return path

    return save


@pytest.fixture
def problems() -> Callable[[Dataset], tuple[str, ...]]:
    """``problems(dataset)``: the problems with which reading it fails."""

    def read(dataset: Dataset) -> tuple[str, ...]:
        with pytest.raises(DataError) as caught:
            dataset.records()
        with pytest.raises(DataError):
            dataset.images()
        return caught.value.problems

    return read
