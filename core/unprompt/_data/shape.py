"""Which sizes of images are read, and how much of them is worked on at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 178_956_970
"""Pixels of the largest image that is read: Pillow's limit for decompression bombs."""
WHOLE = 60_000_000
"""Pixels of the largest image that comes at its own size.

Decoding takes up to 0.5 GB then, transformers' preprocessing 0.8 GB. WebP and AVIF are not read
beyond it: their decoders hold each pixel four times, 16 bytes in all.
"""
LARGE = 8_000_000
"""Pixels from which images are worked on one at a time."""
LONGEST = 500
"""The longer side of an image divided by the shorter one, at most.

Towers scale the shorter side to some 224 to 448 pixels and then cut out the middle: at 500:1 and
448 pixels that takes 0.7 GB, at 60,000:1 and 224 pixels 3 GB and more.
"""
STRIP = 2_000_000
"""Pixels that are converted at a time."""


def check_shape(width: int, height: int, kind: str | None) -> None:
    """Raise ValueError, with one line, for the size of a file's image that is not read."""
    if kind in ("WEBP", "AVIF") and width * height > WHOLE:
        raise ValueError(
            f"{width} x {height} pixels are more than the {WHOLE / 1e6:.0f} megapixels of {kind} "
            "that are read: convert it to PNG or JPEG"
        )
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"{width} x {height} pixels are more than {MOST_PIXELS / 1e6:.0f} megapixels "
            "(a decompression bomb?)"
        )
    check_sides(width, height)


def check_sides(width: int, height: int) -> None:
    """Raise ValueError, with one line, for an image that is not one: no pixels, or a strip."""
    if not width or not height:
        raise ValueError("it has no pixels")
    if max(width, height) > LONGEST * min(width, height):
        raise ValueError(
            f"{width} x {height} pixels are a strip: sides of more than {LONGEST}:1 are not read"
        )


_TURN = threading.Lock()


@contextmanager
def alone(pixels: int) -> Iterator[None]:
    """One large image at a time, as threads would add their memory; small ones do not wait."""
    if pixels <= LARGE:
        yield
        return
    with _TURN:
        yield


def strips(image: Image) -> Iterator[tuple[int, Image]]:
    """An image in parts of whole rows, from the top: the first row of each, and the part.

    Every part but the last has an even number of rows. A small image is its only part.
    """
    width, height = image.size
    rows = max(2, STRIP // width // 2 * 2)
    if rows >= height:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))
