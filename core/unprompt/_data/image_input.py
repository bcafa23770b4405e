"""What callers of the Python API pass as images: paths, folders, globs, or images in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from unprompt._data.found import LeftOut
from unprompt._data.images import Files, find_images
from unprompt._data.memory import MemoryImages
from unprompt._data.texts import checked
from unprompt._files.paths import shown
from unprompt.contracts import Images
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from PIL.Image import Image

ImageInput: TypeAlias = (
    "str | Path | Image | Sequence[str | Path] | Sequence[Image] | Sequence[str | Path | Image] "
    "| Mapping[str, Image]"
)
"""One image, several, or images of Pillow by id."""


@dataclass(frozen=True, slots=True)
class Given:
    """Images to predict, and what is left out beside them.

    Attributes:
        images: With their ids.
        left_out: Files that were found and are not among them.
    """

    images: Images
    left_out: tuple[LeftOut, ...] = ()

    def name(self, image_id: str) -> str:
        """The image's file, where it has one, as error lines print it; otherwise its id."""
        source = self.images.source
        files = source.files if isinstance(source, Mixed) else source
        path = files.paths.get(image_id) if isinstance(files, Files) else None
        return image_id if path is None else shown(path)


@dataclass(frozen=True, slots=True)
class Mixed:
    """Files and images in memory; a `unprompt.contracts.ImageSource`."""

    files: Files
    memory: MemoryImages

    def open(self, image_id: str) -> Image:
        """The image as RGB."""
        return self._source(image_id).open(image_id)

    def check(self, image_id: str) -> str | None:
        """Open the image once: what is to be said of it."""
        return self._source(image_id).check(image_id)

    def digest(self, image_id: str) -> str:
        """A hash of the file, or of the pixels."""
        return self._source(image_id).digest(image_id)

    def path(self, image_id: str) -> Path | None:
        """The file; None for an image in memory. Raises DataError for an unknown id."""
        return None if image_id in self.memory.images else self.files.path(image_id)

    def _source(self, image_id: str) -> Files | MemoryImages:
        return self.memory if image_id in self.memory.images else self.files


def as_images(given: ImageInput) -> Given:
    """Images to predict, with their ids.

    Files, folders and globs get their ids as on the command line. Images in memory are called
    ``image-0``, ``image-1`` and so on, by their place among everything given, unless a map gives
    them ids.

    Raises:
        DataError: A path does not exist or holds no image, two images share an id, a map has an
            id that is no text, or something is neither a path nor an image of Pillow.
    """
    from PIL.Image import Image

    if isinstance(given, Mapping):
        by_id = _in_memory(given)
        return Given(Images(tuple(by_id.images), by_id))
    if not isinstance(given, Image | str | Path | Iterable):
        raise DataError(f"images are paths or images of Pillow, got {type(given).__name__}")
    several = [given] if isinstance(given, Image | str | Path) else list(given)
    paths = [item for item in several if isinstance(item, str | Path)]
    memory = _in_memory(
        {f"image-{i}": item for i, item in enumerate(several) if not isinstance(item, str | Path)}
    )
    if several and not paths:
        return Given(Images(tuple(memory.images), memory))
    found = find_images(paths)
    files = Files(found.paths)
    if not memory.images:
        return Given(Images(tuple(files.paths), files), found.left_out)
    shared = sorted(files.paths.keys() & memory.images.keys())
    if shared:
        raise DataError(f"files and images in memory share the ids {named(shared)}: give a map")
    ids = (*files.paths, *memory.images)
    return Given(Images(ids, Mixed(files, memory)), found.left_out)


def _in_memory(by_id: Mapping[str, object]) -> MemoryImages:
    """Images of Pillow by id. Raises DataError for what is none."""
    from PIL.Image import Image

    images: dict[str, Image] = {}
    for image_id, image in by_id.items():
        if not isinstance(image_id, str) or not image_id:
            raise DataError(f"image ids are text that is not empty, got {image_id!r}")
        checked(image_id, f"the image id {image_id[:80]!r}")
        if not isinstance(image, Image):
            raise DataError(f"{image_id}: not an image of Pillow: {type(image).__name__}")
        images[image_id] = image
    return MemoryImages(images)
