"""Image files: finding them, and opening them by id."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._data.decoding import checked_image, open_image
from unprompt._data.found import Found, LeftOut, bounded, suffixes
from unprompt._data.globs import glob_entries
from unprompt._data.kinds import SUFFIXES, UNREADABLE, looks_like_image, why_no_image
from unprompt._data.walking import NO_FILE, Entry, is_hidden, special_file, walk
from unprompt._files.hashing import file_hash
from unprompt._files.paths import check_name, kind_of, reason, shown, user_path
from unprompt.contracts import Images
from unprompt.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["SUFFIXES", "Files", "find_images", "folder_images", "open_image"]

_CLASHES_SHOWN = 5
NOT_UTF8 = "the name is not UTF-8: rename it"


@dataclass(frozen=True, slots=True)
class Files:
    """Opens images from files; a `unprompt.contracts.ImageSource`.

    Attributes:
        paths: Each ``image_id`` with its file.
    """

    paths: Mapping[str, Path]

    def open(self, image_id: str) -> Image.Image:
        """The image, see `open_image`. Raises DataError naming an unreadable or unknown one."""
        return open_image(self.path(image_id))

    def check(self, image_id: str) -> str | None:
        """Open the image once: what is to be said of it. Raises as `open`."""
        return checked_image(self.path(image_id))

    def digest(self, image_id: str) -> str:
        """SHA-256 of the file. Raises DataError naming a missing or unknown one."""
        path = self.path(image_id)
        if problem := special_file(path):
            raise DataError(f"{shown(path)}: cannot be read: {problem}")
        try:
            return file_hash(path)
        except OSError as error:
            raise DataError(f"{shown(path)}: cannot be read: {reason(error)}") from error

    def path(self, image_id: str) -> Path:
        """The file. Raises DataError for an unknown id."""
        if image_id not in self.paths:
            raise DataError(f"no image for {image_id!r}")
        return self.paths[image_id]


def folder_images(arguments: Sequence[str | Path]) -> Images:
    """The images that files, folders and globs name, all of which have to be readable.

    Raises:
        DataError: As `find_images`, or something looks like an image and cannot be read.
    """
    found = find_images(arguments)
    problems = [file.line for file in found.left_out if file.error]
    if problems:
        raise DataError(bounded(problems))
    return Images(tuple(found.paths), Files(found.paths))


def find_images(arguments: Sequence[str | Path], *, ids_are_paths: bool = False) -> Found:
    """Find the images that files, folders (with subfolders) and globs name.

    In folders and globs, files with a suffix of `SUFFIXES` (in any case) and files that start as
    these formats do are images; a file that is an argument itself always is. Hidden names are
    left out. Linked folders are followed, each folder once.

    Args:
        arguments: Files, folders and globs.
        ids_are_paths: Take the file's path as its id, which no two files share.

    Returns:
        Each ``image_id`` with its file, sorted within each argument, and every file that is left
        out, with the reason. The id is the path below the folder argument, or the file's name,
        without the suffix. A file that several arguments name is included once.

    Raises:
        DataError: An argument is empty, does not exist or holds no image and nothing that looks
            like one, or two files have the same id; lists all such problems.
    """
    if not arguments:
        raise DataError("no image, folder or glob was named")
    finder = _Finder(ids_are_paths)
    for argument in arguments:
        finder.add(argument)
    return finder.found()


class _Finder:
    """Collects what arguments name, each file once."""

    def __init__(self, ids_are_paths: bool) -> None:
        self._ids_are_paths = ids_are_paths
        self._paths: dict[str, Path] = {}
        self._left_out: list[LeftOut] = []
        self._absolute: set[str] = set()
        self._problems: list[str] = []
        self._clashes: list[str] = []

    def add(self, argument: str | Path) -> None:
        """Find what one argument names."""
        try:
            matches = sorted(_matches(argument), key=lambda match: match[1].as_posix())
        except DataError as error:
            self._problems += error.problems
            return
        outside = [outcome for outcome, _ in matches if isinstance(outcome, LeftOut)]
        if len(outside) == len(matches) and not any(file.error for file in outside):
            self._problems.append(_no_match(str(argument), outside))
        for outcome, path in matches:
            absolute = os.path.abspath(path)
            if absolute in self._absolute:
                continue
            self._absolute.add(absolute)
            if isinstance(outcome, LeftOut):
                self._left_out.append(outcome)
            else:
                self._take(str(path) if self._ids_are_paths else outcome, path)

    def _take(self, image_id: str, path: Path) -> None:
        first = self._paths.setdefault(image_id, path)
        if first is not path and not _same(first, path):
            self._clashes.append(_clash(image_id, first, path))

    def found(self) -> Found:
        """Everything, or an error that lists every problem."""
        more = len(self._clashes) - _CLASHES_SHOWN
        clashes = self._clashes[:_CLASHES_SHOWN] + [f"{more} more ids are shared"] * (more > 0)
        if self._problems or clashes:
            raise DataError([*self._problems, *clashes])
        return Found(self._paths, tuple(self._left_out))


def _matches(given: str | Path) -> Iterator[tuple[str | LeftOut, Path]]:
    """Each file that one argument names: its id, or why it is left out."""
    if _is_badly_named(given):  # a shell's * names such files, too
        listed = not Path(given).is_dir()
        yield LeftOut(shown(given), NOT_UTF8, error=True, listed=listed), Path(given)
        return
    argument = user_path(given)
    problem = special_file(argument)
    if problem is None:
        yield argument.stem, argument
    elif _kind_if_known(argument) == "folder":
        for entry in walk(argument, lambda parts, linked: not (linked and is_hidden(parts))):
            yield _outcome(entry, entry.parts, hidden=is_hidden(entry.parts)), entry.path
    elif glob.has_magic(str(argument)) and problem == "no such file":
        for entry in glob_entries(argument):
            yield _outcome(entry, entry.parts[-1:], hidden=False), entry.path
    elif problem != "no such file":
        yield LeftOut(shown(argument), problem, error=True), argument


def _is_badly_named(path: str | Path) -> bool:
    """Whether there is something of this name, and the name is not UTF-8."""
    try:
        check_name(path)
    except DataError:
        with suppress(OSError, ValueError):
            return Path(path).exists()
    return False


def _kind_if_known(path: Path) -> str | None:
    """As `kind_of`; None where a folder above may not be entered."""
    try:
        path.stat()
    except PermissionError:
        return None
    except OSError:
        return kind_of(path)
    return kind_of(path)


def _outcome(entry: Entry, parts: Sequence[str], *, hidden: bool) -> str | LeftOut:
    """The id of an image, made of ``parts``, or why the file is left out."""
    name = shown(entry.path)
    if hidden:
        return LeftOut(name, "hidden", listed=not entry.unlisted)
    if entry.problem:
        image = looks_like_image(entry.path.name) and not entry.folder
        error = entry.unlisted or (image and entry.problem not in NO_FILE)
        return LeftOut(name, entry.problem, error, listed=not entry.unlisted)
    why = why_no_image(entry.path)
    if why is not None:
        return LeftOut(name, why, error=why.startswith(UNREADABLE))
    try:
        check_name("/".join(parts))
    except DataError:
        return LeftOut(name, NOT_UTF8, error=True)
    return Path(*parts).with_suffix("").as_posix()


def _same(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:  # one of them is gone
        return False


def _no_match(argument: str, outside: Iterable[LeftOut]) -> str:
    """The error line for an argument that gives no image."""
    name, paths = shown(argument), [file.path for file in outside]
    beside = f"; it holds {suffixes(paths)}" if paths else ""
    if kind_of(user_path(argument)) == "folder":
        return f"{name}: no image in this folder ({', '.join(sorted(SUFFIXES))}){beside}"
    if glob.has_magic(argument):
        return f"{name}: no image matches"
    return f"{name}: no such file or folder"


def _clash(image_id: str, first: Path, second: Path) -> str:
    """The error line for two files with one id, and how to solve it."""
    solution = "rename one of them"
    if first.absolute().parent != second.absolute().parent:
        common = os.path.commonpath([first.absolute(), second.absolute()])
        solution = (
            f"name the one folder {shown(common)} instead, so that ids keep the subfolder, or "
            f"{solution}"
        )
    return f"'{shown(first)}', '{shown(second)}' share the id {image_id!r}: {solution}"
