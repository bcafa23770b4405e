"""Images that are in memory already, by id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unprompt._data.decoding import halved, upright
from unprompt.errors import DataError, first_line

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class MemoryImages:
    """Gives out images from memory; a `unprompt.contracts.ImageSource`.

    Attributes:
        images: Each ``image_id`` with its image, of any mode.
    """

    images: Mapping[str, Image]

    def open(self, image_id: str) -> Image:
        """The image as RGB, upright, as `unprompt._data.decoding.open_image` gives a file's.

        Raises:
            DataError: The id is unknown, the image is of a size that is not read, or damaged.
        """
        if image_id not in self.images:
            raise DataError(f"no image for {image_id!r}")
        image = self.images[image_id]
        if 0 in image.size:
            raise DataError(f"image {image_id!r} has no pixels")
        try:
            return upright(image)
        except Exception as error:  # closed, or its file is damaged, which can end in any error
            raise DataError(f"image {image_id!r} cannot be read: {first_line(error)}") from error

    def check(self, image_id: str) -> str | None:
        """Convert the image once: what is to be said of it. Raises as `open`."""
        self.open(image_id)
        return halved(f"image {image_id!r}", *self.images[image_id].size)

    def digest(self, image_id: str) -> str:
        """SHA-256 of its size and pixels."""
        image = self.open(image_id)
        return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
