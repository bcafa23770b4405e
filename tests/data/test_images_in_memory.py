"""An image of Pillow gives the pixels that its file gives, within the same bounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unprompt._data.checking import check_images
from unprompt._data.image_input import as_images
from unprompt._data.images import open_image
from unprompt._data.memory import MemoryImages
from unprompt._data.shape import MOST_PIXELS, WHOLE
from unprompt.contracts import Images
from unprompt.errors import DataError

SIDE = 6
NOISE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 4), np.uint8)
COLOUR = Image.fromarray(NOISE[..., :3].copy())
CLEAR = Image.fromarray(NOISE)


def turned(orientation: int) -> Image.Image:
    image = COLOUR.crop((0, 0, 4, SIDE))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    return image


def palette_with_transparency() -> Image.Image:
    image = COLOUR.quantize(8)
    image.info["transparency"] = 3
    return image


MODES: dict[str, tuple[Callable[[], Image.Image], str]] = {
    "RGB": (COLOUR.copy, "png"),
    "L": (lambda: COLOUR.convert("L"), "png"),
    "1": (lambda: COLOUR.convert("1"), "png"),
    "P": (lambda: COLOUR.quantize(8), "png"),
    "P, one colour transparent": (palette_with_transparency, "png"),
    "LA": (lambda: CLEAR.convert("LA"), "png"),
    "RGBA": (CLEAR.copy, "png"),
    "CMYK": (lambda: COLOUR.convert("CMYK"), "tif"),
    "I;16": (lambda: Image.fromarray(NOISE[..., 0].astype(np.uint16) * 200), "png"),
    "I": (lambda: Image.fromarray(NOISE[..., 0].astype(np.int32) * 200), "tif"),
    "F": (lambda: Image.fromarray((NOISE[..., 0] / 255).astype(np.float32)), "tif"),
    **{f"turned {n}": (partial(turned, n), "png") for n in range(2, 9)},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lazy", [True, False])
def test_path_and_object_give_the_same_pixels(tmp_path: Path, mode: str, lazy: bool) -> None:
    make, suffix = MODES[mode]
    path, image = tmp_path / f"a.{suffix}", make()
    options = {"exif": image.info["exif"]} if "exif" in image.info else {}
    image.save(path, **options)
    wanted = np.asarray(open_image(path))
    with Image.open(path) as opened:
        given = opened if lazy else image
        before = np.asarray(given).copy()
        source = MemoryImages({"a": given})
        assert np.array_equal(np.asarray(source.open("a")), wanted)
        assert np.array_equal(np.asarray(given), before)  # the caller's image is left as it is


def test_an_opened_image_is_not_turned_again(tmp_path: Path) -> None:
    image = turned(6)
    image.save(tmp_path / "a.png", exif=image.info["exif"])
    once = open_image(tmp_path / "a.png")
    again = MemoryImages({"a": once}).open("a")
    assert once.size == (SIDE, 4)
    assert np.array_equal(np.asarray(again), np.asarray(once))


def test_more_pixels_than_are_read_from_files_are_refused() -> None:
    image = Image.new("1", (14_000, 14_000))
    assert image.width * image.height > MOST_PIXELS
    with pytest.raises(DataError, match="image 'a' cannot be read: 14000 x 14000 pixels"):
        MemoryImages({"a": image}).open("a")


def test_a_large_image_is_read_at_half_its_size_and_this_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("unprompt._data.decoding.WHOLE", 20)
    given = as_images({"a": COLOUR, "b": COLOUR.crop((0, 0, 4, 5))}).images
    assert given.open("a").size == (SIDE // 2, SIDE // 2)
    means = NOISE[..., :3].reshape(3, 2, 3, 2, 3).mean(axis=(1, 3))
    assert np.abs(np.asarray(given.open("a")) - means).max() <= 0.5
    notes = check_images(Images(given.ids, given.source), 1).notes
    assert notes == ("image 'a': 6 x 6 pixels (0 megapixels): read at half its size",)
    assert WHOLE > SIDE * SIDE
