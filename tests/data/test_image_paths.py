"""`Images.path`: the file of an image, for families that read more of it than its pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from unprompt import DataError, Images, folder_images
from unprompt._data.image_input import as_images


def written(path: Path) -> Path:
    Image.new("RGB", (4, 4), "red").save(path)
    return path


def test_of_files_it_is_the_file(tmp_path: Path) -> None:
    file = written(tmp_path / "a.png")
    images = folder_images([tmp_path])
    assert images.path("a") == file
    assert images.select(["a"]).path("a") == file
    with pytest.raises(DataError, match="no image for 'b'"):
        images.path("b")


def test_an_image_in_memory_has_none(tmp_path: Path) -> None:
    file = written(tmp_path / "a.png")
    images = as_images([file, Image.new("RGB", (4, 4))]).images
    assert {name: images.path(name) for name in images.ids} == {"a": file, "image-1": None}
    assert as_images({"x": Image.new("RGB", (4, 4))}).images.path("x") is None


def test_a_source_without_files_has_none() -> None:
    class Drawn:
        def open(self, image_id: str) -> Image.Image:
            return Image.new("RGB", (4, 4))

        def digest(self, image_id: str) -> str:
            return image_id

    assert Images(("a",), Drawn()).path("a") is None


@pytest.mark.parametrize(
    ("most", "wanted"),
    [(1, "a"), (2, "ad"), (3, "ace"), (4, "abcd"), (7, "abcdefg"), (9, "abcdefg")],
)
def test_images_are_spread_over_their_order(most: int, wanted: str) -> None:
    images = as_images({name: Image.new("RGB", (4, 4)) for name in "abcdefg"}).images
    assert images.spread(most).ids == tuple(wanted)
