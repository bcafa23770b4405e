"""Files that cannot be opened as images are reported in one line each."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unprompt._data.checking import check_images
from unprompt._data.images import folder_images, open_image
from unprompt.errors import DataError

SaveImage = Callable[..., Path]


def chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"x"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"hello, I am text", "not one of PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not one of PNG, JPEG"),
        (bomb(), "decompression bomb?"),
        (b"\x89PNG\r\n\x1a\n", ""),
    ],
    ids=["empty", "text", "postscript", "bomb", "only a signature"],
)
def test_unreadable_content_is_one_line(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_image(path)
    (line,) = caught.value.problems
    assert line.startswith(f"{path}: cannot be read as an image: ")
    assert why in line
    assert "\n" not in line


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "gif", "bmp"])
def test_truncated_images_are_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="cannot be read as an image"):
        open_image(path)


def test_a_missing_image_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: cannot be read as an image: no such file"):
        open_image(tmp_path / "a.png")
    with pytest.raises(DataError, match="cannot be read as an image: a folder"):
        open_image(tmp_path)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_unreadable_names_only_broken_images(
    tmp_path: Path, workers: int, save_image: SaveImage
) -> None:
    save_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("text")
    (tmp_path / "c.png").write_bytes(b"")
    problems = check_images(folder_images([tmp_path]), workers).problems
    assert list(problems) == ["b", "c"]
    assert problems["c"] == (f"{tmp_path}/c.png: cannot be read as an image: the file is empty")
