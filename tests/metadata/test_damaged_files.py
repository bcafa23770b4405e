"""Files cut off at every byte, and thousands with random damage: never another text in silence.

PNG and gzip have checksums, so that every field of a damaged file is one of the healthy file's.
JPEG, WebP, AVIF and GIF have none: damage inside a text may change its letters there, but a text
that is cut off is never one.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt_metadata.fields import Field, FileTexts
from unprompt_metadata.files import file_texts

from .writing import (
    chunk,
    exif_bytes,
    handmade_avif,
    segment,
    small_image,
    write_avif,
    write_gif,
    write_jpeg,
    write_png,
    write_stealth,
    write_webp,
)

TEXT = "a cat, 猫, café\nSteps: 20, Seed: 1, Size: 8x6"
LATIN = "a cat, café\nSteps: 20, Seed: 1, Size: 8x6"
XMP = "<x>é</x>"
EACH = 320
"""Damaged files made of each healthy one: with 16 of them over 5,000."""


def _jpeg(path: Path) -> Path:
    exif = segment(0xE1, b"Exif\0\0" + exif_bytes(TEXT, Make="workflow:{}"))
    return write_jpeg(path, exif, segment(0xFE, LATIN.encode()))


def _avif(path: Path) -> Path:
    path.write_bytes(handmade_avif(exif_bytes(TEXT), XMP.encode(), version=1, in_idat=True))
    return path


def _interrupted(path: Path) -> Path:
    """A PNG file with a chunk of no known kind between its texts."""
    write_png(path, {"prompt": TEXT, "workflow": TEXT}, kind="iTXt-deflated")
    start = path.read_bytes()
    path.write_bytes(start.replace(start[33:41], chunk(b"abCd", b"hello") + start[33:41], 1))
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "png-tEXt": lambda path: write_png(path, {"parameters": LATIN, "prompt": "{}"}),
    "png-zTXt": lambda path: write_png(path, {"parameters": LATIN}, kind="zTXt"),
    "png-iTXt": lambda path: write_png(path, {"parameters": TEXT}, True, kind="iTXt"),
    "png-iTXt-deflated": _interrupted,
    "png-utf8": lambda path: write_png(path, {"parameters": TEXT}, kind="utf8-tEXt"),
    "png-eXIf": lambda path: write_png(path, {}, exif=exif_bytes(TEXT, Make="a")),
    "png-pnginfo": lambda path: write_stealth(path, TEXT, "pnginfo", size=(32, 32)),
    "png-pngcomp": lambda path: write_stealth(path, TEXT, "pngcomp", size=(32, 50)),
    "png-rgbinfo": lambda path: write_stealth(path, TEXT, "rgbinfo", size=(32, 32)),
    "png-rgbcomp": lambda path: write_stealth(path, TEXT, "rgbcomp", size=(32, 32)),
    "jpeg": _jpeg,
    "webp": lambda path: write_webp(path, TEXT, xmp=XMP, Model="prompt:{}"),
    "gzip.webp": lambda path: write_stealth(path, TEXT, "pngcomp", size=(32, 32)),
    "avif": lambda path: write_avif(path, TEXT, xmp=XMP),
    "avif-idat": _avif,
    "gif": lambda path: write_gif(path, TEXT * 6, xmp=XMP),
}


def read(raw: bytes) -> FileTexts:
    """The texts of bytes, whose problems are lines."""
    texts = file_texts(io.BytesIO(raw))
    assert all(line.isprintable() and 0 < len(line) < 300 for line in texts.problems)
    assert all(isinstance(field.text, str) and field.text for field in texts.fields)
    return texts


@pytest.fixture(params=list(WRITERS))
def healthy(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, bytes, set[Field]]:
    """A healthy file: its name, its bytes and its fields."""
    suffix = ".webp" if request.param.endswith("webp") else ""
    raw = WRITERS[request.param](tmp_path / f"file{suffix}").read_bytes()
    texts = read(raw)
    assert texts.fields and not texts.problems
    return request.param, raw, set(texts.fields)


def test_a_text_that_is_cut_off_is_never_one(healthy: tuple[str, bytes, set[Field]]) -> None:
    name, raw, fields = healthy
    step = 1 if len(raw) < 1500 else 7
    for length in range(0, len(raw), step):
        texts = read(raw[:length])
        assert set(texts.fields) <= fields, (name, length)
        assert texts.fields or texts.problems, (name, length)


def damaged(raw: bytes, rng: random.Random) -> bytes:
    """The file with bits flipped, bytes replaced, left out or put in, or a number made huge."""
    content = bytearray(raw)
    kind = rng.randrange(6)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(content))
        if kind < 3:
            content[at] ^= 1 << rng.randrange(8)
        elif kind == 3:
            content[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif kind == 4:
            content[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        else:
            content[at : at + 4] = rng.choice(
                [b"\0\0\0\0", b"\xff" * 4, b"\0\0\0\1", b"\x7f\0\0\0"]
            )
    return bytes(content)


def test_damage_never_gives_another_text_where_there_are_checksums(
    healthy: tuple[str, bytes, set[Field]],
) -> None:
    name, raw, fields = healthy
    rng = random.Random(f"damage of {name}")
    kept = lost = 0
    for _ in range(EACH):
        texts = read(damaged(raw, rng))
        if name.startswith(("png", "gzip")):
            assert set(texts.fields) <= fields, name
        if set(texts.fields) == fields:
            kept += 1
        else:
            lost += 1
    assert kept and lost  # some damage is outside of the texts, some inside


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "eXIf"])
def test_every_flipped_bit_of_a_png_text_is_a_problem(tmp_path: Path, kind: str) -> None:
    if kind == "eXIf":
        path = write_png(tmp_path / "a.png", {}, exif=exif_bytes("a cat"))
    else:
        path = write_png(tmp_path / "a.png", {"k": "a cat"}, kind=kind)  # type: ignore[arg-type]
    raw = path.read_bytes()
    start = raw.index(kind.encode()) + 4
    end = raw.index(b"IDAT") - 4
    for bit in range(8 * start, 8 * end):
        content = bytearray(raw)
        content[bit // 8] ^= 1 << bit % 8
        texts = read(bytes(content))
        assert texts.fields == (), bit
        assert "its checksum is wrong" in texts.problems[0], bit


def test_every_flipped_bit_of_a_gzip_text_is_a_problem(tmp_path: Path) -> None:
    """Written anew after the flip, as a tool would that copies pixels: PNG's checksums agree."""
    import numpy as np
    from PIL import Image

    path = write_stealth(tmp_path / "a.png", "a cat", "pngcomp", size=(8, 64))
    with Image.open(path) as image:
        pixels = np.array(image)
    flags = 8 * 15 + 32 + 8 * np.arange(4, 10)  # gzip's time, level and system mean nothing
    for bit in range(8 * 19, 8 * (19 + 25)):
        if any(first <= bit < first + 8 for first in flags):
            continue
        x, y = divmod(bit, 64)
        pixels[y, x, 3] ^= 1
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        pixels[y, x, 3] ^= 1
        texts = read(stream.getvalue())
        assert all(field.text == "a cat" for field in texts.fields), bit
        assert texts.fields or texts.problems, bit


def test_damaged_pixels_give_no_text_even_where_they_can_be_decoded(tmp_path: Path) -> None:
    """Pixels that are stored, not deflated, decode with any bit flipped: the checksum says so."""
    path = write_stealth(tmp_path / "a.png", "a cat", "pnginfo", size=(20, 20))
    from PIL import Image

    with Image.open(path) as image:
        image.save(path, compress_level=0)
    raw = bytearray(path.read_bytes())
    assert [field.text for field in read(bytes(raw)).fields] == ["a cat"]
    raw[-100] ^= 1
    texts = read(bytes(raw))
    assert texts.fields == ()
    assert texts.problems == ("the pixels are damaged: a checksum is wrong",)


def test_noise_is_no_image() -> None:
    rng = random.Random(5)
    starts = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\xff\xff\0\0WEBP", b"GIF89a", b""]
    starts.append(b"\0\0\0\x14ftypavif\0\0\0\0avif")
    for start in starts:
        for _ in range(100):
            assert read(start + rng.randbytes(rng.randrange(400))).fields == ()


def test_small_images_are_no_problem() -> None:
    for size in ((1, 1), (1, 200), (200, 1), (3, 13)):
        for form in ("PNG", "GIF", "WEBP", "JPEG"):
            stream = io.BytesIO()
            small_image(size).save(stream, form, lossless=True)
            texts = read(stream.getvalue())
            assert (texts.size, texts.fields, texts.problems) == (size, (), ())
