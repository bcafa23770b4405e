"""Only bytes that a format needs are read: an image without texts costs its header."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from unprompt_metadata.fields import FileTexts
from unprompt_metadata.files import file_texts

from .counting import Counting
from .writing import (
    PNG_SIGNATURE,
    chunk,
    png_chunks,
    small_image,
    write_avif,
    write_gif,
    write_png,
    write_webp,
)

Read = Callable[[Path], tuple[FileTexts, Counting]]
LARGE = (640, 480)
HEAD = 1024


@pytest.fixture
def read() -> Read:
    """Read a file's texts; gives them and what was read for them."""

    def texts_of(path: Path) -> tuple[FileTexts, Counting]:
        with Counting(path) as stream:
            return file_texts(stream), stream

    return texts_of


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_image_without_texts_costs_its_header(
    tmp_path: Path, read: Read, form: str, mode: str
) -> None:
    image = small_image(LARGE, mode)
    if mode == "RGBA":
        image.putalpha(255)
    (image.convert("RGB") if form == "JPEG" else image).save(tmp_path / "a", form)
    texts, stream = read(tmp_path / "a")
    assert (texts.format, texts.size, texts.fields, texts.problems) == (form, LARGE, (), ())
    size = (tmp_path / "a").stat().st_size
    pieces = size // (1 << 16) + 1  # Pillow's IDAT chunks; each is stepped over
    assert stream.bytes <= HEAD + 8 * (3 + pieces) + 2048
    assert stream.bytes < size / 10


def test_png_is_read_up_to_the_first_bit_that_is_no_signatures(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.png"
    image = small_image((2500, 1000), "RGBA")
    image.putalpha(255)
    image.save(path, compress_level=0)
    texts, stream = read(path)
    assert (texts.size, texts.problems) == ((2500, 1000), ())
    # 10 MB of rows: one of 10,000 bytes, or as many as begin like a signature's first bits
    assert stream.bytes < HEAD + 4 * 10_001 + 8 * 200


def test_a_text_behind_many_pieces_of_pixels_costs_their_headers(
    tmp_path: Path, read: Read
) -> None:
    header, *_, end = png_chunks(small_image())
    pieces = 5000
    idat = b"".join(chunk(b"IDAT", random.Random(i).randbytes(200)) for i in range(pieces))
    text = chunk(b"tEXt", b"parameters\0a cat")
    (tmp_path / "a.png").write_bytes(PNG_SIGNATURE + header + idat + text + end)
    with Counting(tmp_path / "a.png") as stream:
        texts = file_texts(stream, stealth=False)
    assert [field.text for field in texts.fields] == ["a cat"]
    assert stream.bytes <= HEAD + 8 * (pieces + 3) + 30


def test_texts_cost_their_own_bytes(tmp_path: Path, read: Read) -> None:
    text = "word " * 20_000
    for write in (write_webp, write_avif):
        path = write(tmp_path / "a", text, "utf8", image=small_image(LARGE))
        texts, stream = read(path)
        assert [field.text for field in texts.fields] == [text]
        assert len(text) < stream.bytes < len(text) + 3 * HEAD


def test_pixels_that_are_not_there_are_not_missed(tmp_path: Path, read: Read) -> None:
    """A sparse file of 1 GB: whoever read its pixels would take seconds."""
    path = write_webp(tmp_path / "a.webp", "a cat")
    raw = path.read_bytes()
    body = raw[12:30] + b"VP8 " + struct.pack("<I", 1 << 30)  # VP8X, and pixels without end
    exif = raw[raw.index(b"EXIF") :]
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 4 + len(body) + (1 << 30) + len(exif)) + b"WEBP")
        file.write(body)
        file.seek(1 << 30, 1)
        file.write(exif)
    texts, stream = read(path)
    assert [field.text for field in texts.fields] == ["a cat"]
    assert stream.bytes < 3 * HEAD


def test_gif_is_stepped_over_in_windows(tmp_path: Path, read: Read) -> None:
    path = write_gif(tmp_path / "a.gif", "a cat", image=small_image(LARGE))
    texts, stream = read(path)
    assert [field.text for field in texts.fields] == ["a cat"]
    assert stream.bytes <= 1.1 * path.stat().st_size + HEAD
    assert stream.reads < 30


def test_a_file_of_another_kind_costs_one_read(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a").write_bytes(bytes(1 << 20))
    assert read(tmp_path / "a")[1].bytes == HEAD


def test_lossless_webp_is_decoded_only_for_a_text_in_its_pixels(tmp_path: Path) -> None:
    path = write_webp(tmp_path / "a.webp", lossless=True, image=small_image(LARGE))
    with Counting(path) as stream:
        file_texts(stream, stealth=False)
        assert stream.bytes <= HEAD + 16
        file_texts(stream)
        assert stream.bytes >= path.stat().st_size


def test_signature_of_pixels_is_not_looked_for_where_there_is_none(
    tmp_path: Path, read: Read
) -> None:
    """Palettes, grey and 16 bits have no such texts; small images have no room for one."""
    modes = ["L", "P", "1", "I;16", "LA"]
    for mode in modes:
        Image.new(mode, LARGE).save(tmp_path / "a.png")
        texts, _ = read(tmp_path / "a.png")
        assert (texts.fields, texts.problems) == ((), ())
    assert read(write_png(tmp_path / "a.png", {}, image=small_image((1, 1))))[0].problems == ()
