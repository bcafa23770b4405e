"""Entry points of an environment in which some package's metadata is broken.

Python parses the entry points of all packages at once and without checks, so that one bad line of
one package is a traceback in whoever asks: we, but also pydantic, torch and triton while they are
imported. Where the file is a folder, or begins with a byte order mark, it has no entry points
without a word; where it is a pipe, whoever asks waits forever.
"""

from __future__ import annotations

import codecs
import importlib.metadata
import logging
import stat
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import Distribution, EntryPoints, PathDistribution
from pathlib import Path

log = logging.getLogger(__name__)

_POINTS = "entry_points.txt"
_READ = (_POINTS, "METADATA")
"""What is read of a package to find plugins."""


def skip_broken_metadata() -> None:
    """Where a package's entry points cannot be read, name it in a warning and take it to have none.

    Changes nothing where all can be read.
    """
    usual = Distribution.entry_points.fget  # type: ignore[attr-defined]  # a property
    if not any(_fault(package, usual) for package in _packages()):
        return

    def readable(package: Distribution) -> EntryPoints:
        if why := _fault(package, usual):
            _warn(_name(package), why)
            return EntryPoints(())
        points: EntryPoints = usual(package)
        return points

    Distribution.entry_points = property(readable)  # type: ignore[assignment, method-assign]  # for every library that asks
    _read_regular_files_only()
    importlib.metadata.entry_points()  # names each now, before any work


def _read_regular_files_only() -> None:
    """Keep every library from waiting for a pipe; a name is known from the folder's, too."""
    usual = PathDistribution.read_text

    def regular(package: PathDistribution, filename: str) -> str | None:
        path = _path(package)
        if path is None or not _irregular(path / filename):
            return usual(package, filename)
        return f"Name: {path.name.partition('-')[0]}\n" if filename == "METADATA" else None

    PathDistribution.read_text = regular  # type: ignore[assignment, method-assign]  # as above


def _packages() -> Iterator[Distribution]:
    """As in ``importlib.metadata.entry_points``: of two with one name, the first on the path."""
    names: set[str] = set()
    for package in importlib.metadata.distributions():
        name = getattr(package, "_normalized_name", None) or _name(package)
        if name not in names:
            names.add(name)
            yield package


def _fault(package: Distribution, read: Callable[[Distribution], EntryPoints]) -> str:
    """Why a package's entry points are not known, beginning with the file; empty if they are."""
    path = _path(package)
    try:
        for name in _READ if path else ():
            if path and (why := _irregular(path / name)):
                return f"{name} cannot be read ({why})"
        if path and _begins_with_mark(path / _POINTS):
            return f"{_POINTS} cannot be read (it begins with a byte order mark)"
        read(package)
    except Exception as error:  # noqa: BLE001  # parsing text of anybody without checks: any error
        return f"{_POINTS} cannot be read ({' '.join(str(error).split())})"
    return ""


def _irregular(path: Path) -> str:
    """What keeps a file from being read, such as a pipe, on which a reader waits; empty if none."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""  # many packages lack it
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if stat.S_ISREG(mode):
        return ""
    return "it is a folder" if stat.S_ISDIR(mode) else "it is no regular file"


def _begins_with_mark(path: Path) -> bool:
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    except (FileNotFoundError, NotADirectoryError):
        return False


def _path(package: Distribution) -> Path | None:
    """The folder with a package's metadata; None where that is in an archive."""
    path = getattr(package, "_path", None)
    return path if isinstance(path, Path) else None


@cache  # libraries ask again and again
def _warn(name: str, why: str) -> None:
    log.warning("%s: %s, so its plugins are not known", name, why)


def _name(package: Distribution) -> str:
    """Its folder, which every installed package has; its name is in the metadata."""
    return f"package {getattr(package, '_path', None) or package.locate_file('')}"
