"""What callers of the Python API pass as images: paths, folders, globs, or images in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from unprompt._data.images import folder_images
from unprompt._data.memory import MemoryImages
from unprompt.contracts import Images
from unprompt.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

ImageInput: TypeAlias = (
    "str | Path | Image | Sequence[str | Path] | Sequence[Image] | Mapping[str, Image]"
)
"""One image, several of one kind, or images of Pillow by id."""


def as_images(given: ImageInput) -> Images:
    """Images to predict, with their ids.

    Files, folders and globs get their ids as on the command line. Images in memory are called
    ``image-0``, ``image-1`` and so on, unless a map gives them ids.

    Raises:
        DataError: A path does not exist or holds no image, two files share an id, a map has an
            id that is no text, or something is neither a path nor an image of Pillow.
    """
    from PIL.Image import Image

    by_id: Mapping[Any, object]
    if isinstance(given, Mapping):
        by_id = dict(given)
    elif isinstance(given, Image | str | Path):
        return as_images([given])  # type: ignore[arg-type]  # a list of one kind
    else:
        several = list(given)
        if all(isinstance(item, str | Path) for item in several):
            return folder_images([item for item in several if isinstance(item, str | Path)])
        by_id = {f"image-{i}": item for i, item in enumerate(several)}
    images: dict[str, Image] = {}
    for image_id, image in by_id.items():
        if not isinstance(image_id, str) or not image_id:
            raise DataError(f"image ids are text that is not empty, got {image_id!r}")
        if not isinstance(image, Image):
            raise DataError(f"{image_id}: not an image of Pillow: {type(image).__name__}")
        images[image_id] = image
    return Images(tuple(images), MemoryImages(images))
