"""Image files: finding them, and opening them by id."""

from __future__ import annotations

import glob
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._data.decoding import HAS_AVIF, open_image
from unprompt._files.hashing import file_hash
from unprompt.contracts import Images
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from PIL import Image

__all__ = ["SUFFIXES", "Files", "find_images", "folder_images", "open_image", "unreadable"]

SUFFIXES = frozenset(
    [
        "png",
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "webp",
        "bmp",
        "gif",
        "tif",
        "tiff",
        "ppm",
        "pgm",
        "pbm",
        "pnm",
    ]
    + ["avif"] * HAS_AVIF
)
"""Suffixes of image files in folders and globs, in lower case and without the dot."""

_CLASHES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Files:
    """Opens images from files; a `unprompt.contracts.ImageSource`.

    Attributes:
        paths: Each ``image_id`` with its file.
    """

    paths: Mapping[str, Path]

    def open(self, image_id: str) -> Image.Image:
        """The image, see `open_image`. Raises DataError naming an unreadable or unknown one."""
        return open_image(self._path(image_id))

    def digest(self, image_id: str) -> str:
        """SHA-256 of the file. Raises DataError naming a missing or unknown one."""
        path = self._path(image_id)
        try:
            return file_hash(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error

    def _path(self, image_id: str) -> Path:
        if image_id not in self.paths:
            raise DataError(f"no image for {image_id!r}")
        return self.paths[image_id]


def folder_images(arguments: Sequence[str | Path]) -> Images:
    """The images that files, folders and globs name, ready to predict; see `find_images`."""
    paths = find_images(arguments)
    return Images(tuple(paths), Files(paths))


def find_images(arguments: Sequence[str | Path]) -> dict[str, Path]:
    """Find the images that files, folders (with subfolders) and globs name.

    In folders and globs, files with a suffix of `SUFFIXES` (in any case) are images, and hidden
    names are skipped; a file that is an argument itself is always included.

    Returns:
        Each ``image_id`` with its file, sorted within each argument. The id is the path below
        the folder argument, or the file's name, without the suffix. A file that several
        arguments name is included once.

    Raises:
        DataError: An argument does not exist or holds no image, or two files have the same id;
            lists all such problems.
    """
    if not arguments:
        raise DataError("no image, folder or glob was named")
    paths: dict[str, Path] = {}
    absolute_paths: set[str] = set()
    problems: list[str] = []
    clashes: list[str] = []
    for argument in arguments:
        matches = sorted(_matches(str(argument)), key=lambda match: match[1].as_posix())
        if not matches:
            problems.append(_no_match(str(argument)))
        for image_id, path in matches:
            absolute = os.path.abspath(path)
            if absolute in absolute_paths:
                continue
            absolute_paths.add(absolute)
            first = paths.setdefault(image_id, path)
            if first is not path and not first.samefile(path):
                clashes.append(_clash(image_id, first, path))
    more = len(clashes) - _CLASHES_SHOWN
    problems += clashes[:_CLASHES_SHOWN] + [f"{more} more ids are shared"] * (more > 0)
    if problems:
        raise DataError(problems)
    return paths


def unreadable(images: Images, workers: int) -> dict[str, str]:
    """Open every image once, to find broken files before any model is loaded.

    Args:
        images: N images.
        workers: Threads that open them.

    Returns:
        The id of each image that cannot be opened, in the order of ``images.ids``, with the line
        of its error.
    """

    def problem(image_id: str) -> str | None:
        try:
            images.open(image_id)
        except DataError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(max(1, workers)) as threads:
        lines = threads.map(problem, images.ids)
        return {name: line for name, line in zip(images.ids, lines, strict=True) if line}


def _matches(argument: str) -> Iterator[tuple[str, Path]]:
    """Each image that one argument names, with its id."""
    path = Path(argument).expanduser()
    if path.is_dir():
        for file in path.rglob("*"):
            below = file.relative_to(path)
            hidden = any(part.startswith(".") for part in below.parts)
            if not hidden and _is_image(file):
                yield below.with_suffix("").as_posix(), file
    elif path.is_file():
        yield path.stem, path
    else:
        for name in glob.glob(str(path), recursive=True):
            if _is_image(Path(name)):
                yield Path(name).stem, Path(name)


def _is_image(path: Path) -> bool:
    return path.suffix.lower().removeprefix(".") in SUFFIXES and path.is_file()


def _no_match(argument: str) -> str:
    """The error line for an argument that gives no image."""
    if Path(argument).expanduser().is_dir():
        return f"{argument}: no image in this folder ({', '.join(sorted(SUFFIXES))})"
    if glob.has_magic(argument):
        return f"{argument}: no image matches"
    return f"{argument}: no such file or folder"


def _clash(image_id: str, first: Path, second: Path) -> str:
    """The error line for two files with one id, and how to solve it."""
    solution = "rename one of them"
    if first.absolute().parent != second.absolute().parent:
        common = os.path.commonpath([first.absolute(), second.absolute()])
        solution = (
            f"name the one folder {common} instead, so that ids keep the subfolder, or {solution}"
        )
    return f"{named([str(first), str(second)])} share the id {image_id!r}: {solution}"
