"""What callers of the Python API pass as images: paths, folders, globs, or images in memory."""

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

    Files, folders and globs get their ids as on the command line. Images in memory are called
    ``image-0``, ``image-1`` and so on, unless a map gives them ids.

    Raises:
        DataError: A path does not exist or holds no image, two files share an id, or something
            is neither a path nor an image.
    """
    if isinstance(given, Mapping):
        return Images(tuple(given), MemoryImages(dict(given)))
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if all(isinstance(one, str | Path) for one in several):
        return folder_images([one for one in several if isinstance(one, str | Path)])
    named = {f"image-{i}": _opened(one) for i, one in enumerate(several)}
    return Images(tuple(named), MemoryImages(named))


def _opened(one: object) -> Image:
    from PIL.Image import Image

    if isinstance(one, Image):
        return one
    if isinstance(one, str | Path):
        return open_image(Path(one))
    raise DataError(f"not an image or a path: {type(one).__name__}")
