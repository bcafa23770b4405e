"""Images as callers of the Python API pass them: paths, folders, globs, or images in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from unprompt._data.decoding import open_image
from unprompt._data.images import folder_images
from unprompt._data.memory import MemoryImages
from unprompt.contracts import Images
from unprompt.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

ImageInput: TypeAlias = "str | Path | Image | Sequence[str | Path | Image] | Mapping[str, Image]"
"""One image, several, or images by id."""


def as_images(given: ImageInput) -> Images:
    """Images to predict, with their ids.

    Images of files, folders and globs get the same ids as on the command line. Images in memory
    get ``image-0``, ``image-1`` and so on, unless a map gives their ids.

    Raises:
        DataError: A path does not exist or holds no image, two files share an id, or something
            is neither a path nor an image.
    """
    if isinstance(given, Mapping):
        return Images(tuple(given), MemoryImages(dict(given)))
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    paths = [item for item in several if isinstance(item, str | Path)]
    if len(paths) == len(several):
        return folder_images(paths)
    by_id = {f"image-{i}": _opened(item) for i, item in enumerate(several)}
    return Images(tuple(by_id), MemoryImages(by_id))


def _opened(item: object) -> Image:
    from PIL.Image import Image

    if isinstance(item, Image):
        return item
    if isinstance(item, str | Path):
        return open_image(Path(item))
    raise DataError(f"not an image or a path: {type(item).__name__}")
