"""Image files of every format and mode open as upright RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unprompt._data.images import (
    SUFFIXES,
    open_image,
)

RED, WHITE = (255, 0, 0), (255, 255, 255)


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def stored(path: Path, what: str) -> object:
    """A property of the file as Pillow reads it, to check what is tested."""
    with Image.open(path) as image:
        return getattr(image, what)


def pixel(path: Path, at: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
    opened = open_image(path)
    assert opened.mode == "RGB"
    colour = opened.getpixel(at)
    assert isinstance(colour, tuple)
    return colour


def test_rgb_pixels_are_untouched(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    path = save(Image.fromarray(pixels), tmp_path / "a.png")
    assert np.array_equal(np.asarray(open_image(path)), pixels)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES - {"pbm", "pgm"}))
def test_every_suffix_opens(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    kind = {"jpe": "JPEG", "jfif": "JPEG", "pnm": "PPM"}.get(suffix)
    save(Image.new("RGB", (8, 8), RED), path, format=kind)
    assert np.allclose(pixel(path), RED, atol=4)


def test_upper_case_suffix_opens(tmp_path: Path) -> None:
    assert pixel(save(Image.new("RGB", (2, 2), RED), tmp_path / "A.PNG")) == RED


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_alpha_lies_on_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 128))
    path = save(image, tmp_path / f"a.{suffix}", **({"lossless": True} | {"exact": True}))
    assert pixel(path) == WHITE
    assert pixel(path, (1, 0)) == (255, 127, 127)


def test_grey_with_alpha_lies_on_white(tmp_path: Path) -> None:
    path = save(Image.new("LA", (2, 2), (0, 128)), tmp_path / "a.png")
    assert stored(path, "mode") == "LA"
    assert pixel(path) == (127, 127, 127)


def test_palette_with_alpha_band(tmp_path: Path) -> None:
    path = save(Image.new("PA", (2, 2)), tmp_path / "a.tif")
    assert stored(path, "mode") == "PA"
    assert pixel(path) == WHITE


def palette() -> Image.Image:
    image = Image.new("P", (2, 1), 1)
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.putpixel((1, 0), 0)
    return image


def test_palette(tmp_path: Path) -> None:
    path = save(palette(), tmp_path / "a.png")
    assert (pixel(path), pixel(path, (1, 0))) == (RED, (0, 0, 255))


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"], ids=["index", "alphas"])
def test_palette_with_transparency(tmp_path: Path, transparency: object) -> None:
    path = save(palette(), tmp_path / "a.png", transparency=transparency)
    assert (pixel(path), pixel(path, (1, 0))) == (RED, WHITE)


def test_gif_with_transparency(tmp_path: Path) -> None:
    path = save(palette(), tmp_path / "a.gif", transparency=0)
    assert (pixel(path), pixel(path, (1, 0))) == (RED, WHITE)


def test_trns_of_rgb_and_grey(tmp_path: Path) -> None:
    rgb = save(Image.new("RGB", (2, 2), (1, 2, 3)), tmp_path / "a.png", transparency=(1, 2, 3))
    grey = save(Image.new("L", (2, 2), 7), tmp_path / "b.png", transparency=7)
    opaque = save(Image.new("L", (2, 2), 7), tmp_path / "c.png", transparency=8)
    assert (pixel(rgb), pixel(grey), pixel(opaque)) == (WHITE, WHITE, (7, 7, 7))


def test_one_bit(tmp_path: Path) -> None:
    image = Image.new("1", (2, 1), 0)
    image.putpixel((1, 0), 1)
    path = save(image, tmp_path / "a.png")
    assert (pixel(path), pixel(path, (1, 0))) == ((0, 0, 0), WHITE)


def ramp() -> np.ndarray:
    return np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    path = save(Image.fromarray(ramp()), tmp_path / f"a.{suffix}")
    grey = np.asarray(open_image(path))[..., 0].ravel()
    assert np.array_equal(grey, np.arange(256))


def test_big_endian_sixteen_bit(tmp_path: Path) -> None:
    path = save(Image.fromarray(ramp().astype(">u2")), tmp_path / "a.tif")
    assert stored(path, "mode") == "I;16B"
    assert np.array_equal(np.asarray(open_image(path))[..., 0].ravel(), np.arange(256))


def test_dark_sixteen_bit_stays_dark(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.full((2, 2), 257, np.uint16)), tmp_path / "a.png")
    assert pixel(path) == (1, 1, 1)


def test_sixteen_bit_trns_is_white(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.full((2, 2), 300, np.uint16)), tmp_path / "a.png")
    with Image.open(path) as image:
        keyed = save(image, tmp_path / "b.png", transparency=300)
    assert (pixel(path), pixel(keyed)) == ((1, 1, 1), WHITE)


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        ([0, 32768, 65535], [0, 128, 255]),
        ([0, 1_000_000, 2_000_000], [0, 128, 255]),
        ([-32768, 0, 32767], [0, 128, 255]),
        ([0, 0, 0], [0, 0, 0]),
    ],
    ids=["16 bits", "32 bits", "signed", "black"],
)
def test_integer_grey(tmp_path: Path, values: list[int], grey: list[int]) -> None:
    path = save(Image.fromarray(np.array([values], np.int32)), tmp_path / "a.tif")
    assert stored(path, "mode") == "I"
    assert np.allclose(np.asarray(open_image(path))[0, :, 0], grey, atol=1)


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([0.1, 0.2, 0.2], [26, 51, 51]),
        ([0, 100, 200], [0, 100, 200]),
        ([0, 6553.5, 65535], [0, 26, 255]),
        ([0, 1e6, 2e6], [0, 128, 255]),
        ([-1, 0, 1], [0, 128, 255]),
        ([np.nan, 0.2, np.inf], [0, 51, 0]),
    ],
)
def test_float_grey(tmp_path: Path, values: list[float], grey: list[int]) -> None:
    path = save(Image.fromarray(np.array([values], np.float32)), tmp_path / "a.tif")
    assert stored(path, "mode") == "F"
    assert np.asarray(open_image(path))[0, :, 0].tolist() == grey


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_colour(tmp_path: Path, suffix: str) -> None:
    # Pillow marks its CMYK JPEGs as Adobe's, whose inks are inverted.
    path = save(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / f"a.{suffix}")
    assert stored(path, "mode") == "CMYK"
    assert np.allclose(pixel(path), RED, atol=3)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(
        frames[0], tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options
    )
    assert stored(path, "n_frames") == 2
    assert pixel(path) == RED


def test_mpo_of_phones(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    path = save(
        frames[0], tmp_path / "a.jpg", format="MPO", save_all=True, append_images=frames[1:]
    )
    assert stored(path, "format") == "MPO"
    assert np.allclose(pixel(path), RED, atol=4)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_orientation_turns(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGB", (16, 8), "red")  # the left half red, the right half blue
    image.paste((0, 0, 255), (8, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned 90 degrees clockwise
    path = save(image, tmp_path / f"a.{suffix}", exif=exif)
    upright = open_image(path)
    assert upright.size == (8, 16)
    assert np.allclose(pixel(path, (4, 2)), RED, atol=8)
    assert np.allclose(pixel(path, (4, 13)), (0, 0, 255), atol=8)


def test_exif_orientation_of_sixteen_bit(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    path = save(Image.fromarray(ramp()), tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(open_image(path))[..., 0].ravel(), np.arange(256)[::-1])


def test_broken_exif_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    save(Image.new("RGB", (8, 4), RED), path, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12")
    assert open_image(path).size == (8, 4)
