"""Images that are large, thin or full of metadata: read within bounds, or one line."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from unprompt._data import decoding
from unprompt._data.checking import check_images, readable
from unprompt._data.image_input import as_images
from unprompt._data.images import folder_images, open_image
from unprompt._data.kinds import HAS_AVIF
from unprompt._data.memory import MemoryImages
from unprompt._data.quiet import without_warnings
from unprompt._data.shape import LARGE, LONGEST, MOST_PIXELS, STRIP, WHOLE
from unprompt.errors import DataError

SaveImage = Callable[..., Path]

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def header(width: int, height: int, colour: int = 2) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))


def grey_png(path: Path, width: int, height: int) -> Path:
    """A black PNG of any size, written row by row."""
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()
    path.write_bytes(SIGNATURE + header(width, height, 0) + chunk(b"IDAT", rows) + END)
    return path


END = chunk(b"IEND", b"")


# Thin images


@pytest.mark.parametrize("size", [(1, 501), (501, 1), (1, 60_000), (30_000_000, 1), (3, 1600)])
def test_strips_are_refused_from_files_and_memory(tmp_path: Path, size: tuple[int, int]) -> None:
    path = grey_png(tmp_path / "a.png", *size)
    why = rf"{size[0]} x {size[1]} pixels are a strip: sides of more than 500:1 are not read"
    with pytest.raises(DataError, match=rf"a\.png: cannot be read as an image: {why}"):
        open_image(path)
    Image.new("RGB", (2, 2)).save(tmp_path / "b.png")
    assert readable(as_images(tmp_path), 1, skip=True).images.ids == ("b",)
    if max(size) < 2000:
        with pytest.raises(DataError, match=why):
            MemoryImages({"a": Image.new("RGB", size)}).open("a")


@pytest.mark.parametrize("size", [(1, LONGEST), (LONGEST, 1), (7, 3500)])
def test_the_longest_strips_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    assert open_image(grey_png(tmp_path / "a.png", *size)).size == size


# Large images


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of a thousandth, so that tests need no image of 100 megapixels."""
    monkeypatch.setattr(decoding, "WHOLE", WHOLE // 1000)
    monkeypatch.setattr("unprompt._data.shape.LARGE", LARGE // 1000)
    monkeypatch.setattr("unprompt._data.shape.STRIP", STRIP // 1000)
    monkeypatch.setattr(decoding, "STRIP", STRIP // 1000)


MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"]


def of_mode(mode: str, size: tuple[int, int], path: Path) -> Path:
    """A random image, smooth enough for every format."""
    rng = np.random.default_rng(3)
    small = Image.fromarray(rng.integers(0, 256, (9, 11, 4), np.uint8), "RGBA")
    image = small.resize(size, Image.Resampling.BILINEAR)
    if mode in ("I;16", "F"):
        values = np.asarray(image.convert("L"))
        image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.float32) * 250)
    else:
        image = image.convert(mode)
    file = path / f"{mode.replace(';', '')}.tif"
    image.save(file)
    return file


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("mode", MODES)
def test_strips_give_the_pixels_of_the_whole(tmp_path: Path, mode: str) -> None:
    path = of_mode(mode, (201, 203), tmp_path)
    by_strips = open_image(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unprompt._data.shape.STRIP", STRIP)
        patch.setattr(decoding, "STRIP", STRIP)
        whole = open_image(path)
    assert by_strips.size == (201, 203)
    assert np.array_equal(np.asarray(by_strips), np.asarray(whole))


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("mode", MODES)
def test_half_the_size_is_the_mean_of_four_pixels(tmp_path: Path, mode: str) -> None:
    path = of_mode(mode, (302, 304), tmp_path)
    halved = np.asarray(open_image(path), np.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "WHOLE", WHOLE)
        whole = np.asarray(open_image(path), np.float64)
    assert halved.shape == (152, 151, 3)
    means = whole.reshape(152, 2, 151, 2, 3).mean((1, 3))
    assert np.abs(halved - means).max() <= 0.5


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp"])
def test_large_images_are_said_once_and_turned(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGB", (401, 301), "red")
    image.paste((0, 0, 255), (200, 0, 401, 301))
    exif = Image.Exif()
    exif[0x0112] = 6
    options: dict[str, Any] = {"exif": exif} if suffix in ("jpg", "png", "webp") else {}
    path = tmp_path / f"a.{suffix}"
    image.save(path, **options)
    size = "401 x 301 pixels (0 megapixels)"
    assert check_images(folder_images([path]), 1).notes == (
        f"{path}: {size}: read at half its size",
    )
    opened = open_image(path)
    assert opened.size == ((151, 201) if options else (201, 151))
    colours = np.asarray(opened)
    assert np.allclose(colours[10, 10], (255, 0, 0), atol=12)
    assert np.allclose(colours[-10, -10], (0, 0, 255), atol=12)


def test_more_pixels_than_the_limit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = SIGNATURE + header(13_380, 13_380) + chunk(b"IDAT", zlib.compress(b"x")) + END
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"a\.png: cannot be read as an image: .*decompression bomb"
    ):
        open_image(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # a caller's own choice
    with pytest.raises(DataError, match=r"13380 x 13380 pixels are more than 179 megapixels"):
        open_image(path)
    assert 13_380**2 > MOST_PIXELS > WHOLE


MEMORY = """
import resource, sys
from pathlib import Path
from unprompt._data.images import open_image
limit = int(sys.argv[2]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(open_image(Path(sys.argv[1])).size)
"""


@pytest.mark.parametrize("suffix", ["webp", *["avif"] * HAS_AVIF])
def test_formats_whose_decoders_hold_copies_have_a_limit(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (300, 200)).save(path)
    assert open_image(path).size == (300, 200)
    monkeypatch.setattr("unprompt._data.shape.WHOLE", 300 * 200 - 1)
    with pytest.raises(DataError, match=rf"megapixels of {suffix.upper()} that are read: convert"):
        open_image(path)


def test_a_large_image_has_its_memory(tmp_path: Path) -> None:
    path = grey_png(tmp_path / "a.png", 9_500, 9_500)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEMORY, path, "1200"],  # Python and numpy: 0.6 GiB
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("(4750, 4750)\n", "")


# Texts and profiles


def png_with(*chunks: bytes, after: bytes = b"") -> bytes:
    pixels = zlib.compress(b"\0\xff\0\0")
    return b"".join([SIGNATURE, header(1, 1), *chunks, chunk(b"IDAT", pixels), after, END])


LONG = zlib.compress(bytes(2 * 2**20))
TEXTS = {
    "zTXt": chunk(b"zTXt", b"parameters\0\0" + LONG),
    "iTXt": chunk(b"iTXt", b"workflow\0\1\0\0\0" + LONG),
    "iCCP": chunk(b"iCCP", b"profile\0\0" + LONG),
    "tEXt": chunk(b"tEXt", b"workflow\0" + b"x" * PngImagePlugin.MAX_TEXT_MEMORY),
    "many": b"".join(chunk(b"zTXt", b"p\0\0" + zlib.compress(bytes(10**6))) for _ in range(70)),
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", TEXTS)
def test_large_texts_and_profiles_do_not_matter(tmp_path: Path, kind: str, after: bool) -> None:
    path = tmp_path / "a.png"
    text = TEXTS[kind]
    path.write_bytes(png_with(after=text) if after else png_with(text))
    opened = open_image(path)
    assert opened.getpixel((0, 0)) == (255, 0, 0)


def test_a_turned_image_with_a_large_text_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 2)).save(path, exif=exif)
    content = path.read_bytes()
    path.write_bytes(content[:33] + TEXTS["zTXt"] + content[33:])
    assert open_image(path).size == (2, 4)


def test_a_large_text_does_not_hide_what_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_with(TEXTS["zTXt"])[:-30])
    with pytest.raises(DataError, match="cannot be read as an image"):
        open_image(path)


# Hostile content


def test_a_gif_of_many_frames_is_read_at_its_first(tmp_path: Path) -> None:
    frame = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    start = b"GIF89a\x01\0\x01\0\x80\0\0\xff\0\0\0\0\xff"
    (tmp_path / "a.gif").write_bytes(start + frame * 1_000_000 + b"\x3b")
    assert open_image(tmp_path / "a.gif").getpixel((0, 0)) == (255, 0, 0)


def mutations(content: bytes) -> Iterator[bytes]:
    """Cuts at many places, and random bytes in others."""
    rng = random.Random(0)
    for cut in sorted({*range(0, 40, 3), *(rng.randrange(len(content)) for _ in range(12))}):
        yield content[:cut]
    for _ in range(25):
        changed = bytearray(content)
        for _ in range(rng.randrange(1, 6)):
            changed[rng.randrange(len(content))] = rng.choice([0, 255, rng.randrange(256)])
        yield bytes(changed)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp", "ppm"])
def test_damaged_images_are_read_or_one_line(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    noise = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    path = tmp_path / f"a.{suffix}"
    options: dict[str, Any] = {} if suffix in ("gif", "bmp", "ppm") else {"exif": exif}
    Image.fromarray(noise).save(path, **options)
    lines = 0
    for content in mutations(path.read_bytes()):
        path.write_bytes(content)
        try:
            assert open_image(path).mode == "RGB"
        except DataError as error:
            (line,) = error.problems
            assert line.startswith(f"{path}: cannot be read as an image: ")
            assert line.isprintable()
            lines += 1
    assert lines > 5
    assert capfd.readouterr() == ("", "")


TAGS = struct.pack("<2sHIH", b"II", 42, 8, 3)


@pytest.mark.parametrize(
    "entries",
    [
        struct.pack("<HHII", 270, 2, 2**31, 8),  # a description of 2 GiB
        struct.pack("<HHII", 34675, 7, 2**32 - 1, 2**32 - 8),
        struct.pack("<HHII", 258, 3, 10**9, 8),
    ],
)
def test_tiff_tags_of_declared_gigabytes(tmp_path: Path, entries: bytes) -> None:
    sides = struct.pack("<HHIHHHIHH", 256, 3, 1, 1, 0, 257, 3, 1, 0)
    path = tmp_path / "a.tif"
    path.write_bytes(TAGS + sides[:12] + entries + struct.pack("<HHIHHI", 257, 3, 1, 1, 0, 0))
    with pytest.raises(DataError, match="cannot be read as an image"):
        open_image(path)


# Warnings


def test_no_warning_of_pillow_is_seen_or_raised(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (8, 4)).save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12")
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_image(path).size == (8, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert open_image(path).size == (8, 4)
    assert list(warnings.filters) == before
    assert not recwarn.list


def test_threads_share_one_filter_and_leave_none() -> None:
    before = list(warnings.filters)
    inside, go_on = threading.Barrier(5), threading.Event()

    def hold() -> None:
        with without_warnings():
            inside.wait()
            go_on.wait()

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    inside.wait()
    assert len(warnings.filters) == len(before) + 1
    go_on.set()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
