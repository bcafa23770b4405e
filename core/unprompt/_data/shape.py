"""Which sizes of images are read, and in how many rows at a time they are worked on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 178_956_970
"""Pixels of the largest image that is read: Pillow's limit for decompression bombs."""
WHOLE = MOST_PIXELS // 2
"""Pixels of the largest image that is decoded at its own size: where Pillow starts to warn."""
LONGEST = 100
"""The longer side of an image divided by the shorter one, at most.

Towers scale the shorter side to some 224 to 448 pixels and then cut out the middle: at 100:1 the
scaled image takes up to 0.25 GB as float32, at 60,000:1 3 GB and more.
"""
STRIP = 2_000_000
"""Pixels that are converted at a time."""


def check_shape(width: int, height: int) -> None:
    """Raise ValueError, with one line, for the size of a file's image that is not read."""
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
