"""The cache of results: folders named by a hash of everything that their content depends on."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from unprompt._files import paths
from unprompt._files.checksums import CHECKSUMS, difference, read_checksums, write_checksums
from unprompt._files.hashing import content_hash
from unprompt._files.paths import cache_folder
from unprompt._files.writing import replacing_folder
from unprompt.errors import DataError, OutputError
from unprompt.types import PlainData

LAYOUT = 3
"""Version of what cached folders contain; raise it when that changes, and old ones are ignored."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of cached results; several processes can use it, as entries appear by rename.

    Attributes:
        root: The folder; it is made when the first entry is written.
    """

    root: Path

    @classmethod
    def default(cls) -> Cache:
        """That of `cache_folder`. Raises DataError as it does."""
        return cls(cache_folder())

    def folder(self, kind: str, key: PlainData, make: Callable[[Path], None]) -> Path:
        """The folder with what ``make`` writes for ``key``, which is called where there is none.

        An entry that is not as it was written (a power cut, a cleaner of old files, a full disk)
        is logged and made again.

        Args:
            kind: What is kept: ``texts``, ``artifacts``, ``predictions``.
            key: Everything that the content depends on.
            make: Fills an empty folder; if it raises, nothing is kept.

        Returns:
            A complete folder, checked against its checksums; do not write to it.

        Raises:
            OutputError: The cache cannot be written, or a damaged entry cannot be replaced.
        """
        entry = self.root / kind / content_hash([LAYOUT, key])
        if damage(entry) is not None:
            with replacing_folder(entry) as part:
                if _cleared(entry, part):
                    content = part / _content(entry).name
                    content.mkdir()
                    make(content)
                    write_checksums(content, part / CHECKSUMS)
        return _content(entry)


def _content(entry: Path) -> Path:
    """The folder of an entry that holds what was made; its checksums lie beside it.

    Its name is part of the entry's: another entry, copied to this place, is not taken for it.
    """
    return entry / f"content-{entry.name[:16]}"


def damage(entry: Path) -> str | None:
    """What is wrong with an entry; empty where there is none, None where it is whole."""
    if not os.path.lexists(entry):
        return ""
    if not _content(entry).is_dir():
        return "its content is gone"
    try:
        return difference(_content(entry), read_checksums(entry / CHECKSUMS))
    except DataError as error:
        return error.problems[0]


def _cleared(entry: Path, part: Path) -> bool:
    """Take a damaged entry away, unless another process has made it again meanwhile.

    It is moved into ``part`` first: a rename cannot be seen half done, and what a killed process
    leaves in there is swept with ``part``.

    Returns:
        Whether the entry is to be made.
    """
    with _locked(entry.parent):
        what = damage(entry)
        if not what:
            return what is not None
        try:
            away = entry.rename(part / "damaged")
        except OSError as error:
            raise OutputError(
                f"{paths.shown(entry)}: damaged ({what}), and cannot be replaced: "
                f"{paths.reason(error)}"
            ) from error
    log.warning("cache: %s was damaged and is made again: %s", paths.shown(entry), what)
    if away.is_dir() and not away.is_symlink():
        shutil.rmtree(away)
    else:
        away.unlink()
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time look and move; a killed one leaves no lock."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder's files: no links, through which damage to one would reach the other.

    Raises:
        OutputError: The disk is full, or the copy cannot be written; names the file.
    """
    for base, _, names in os.walk(source, followlinks=True):
        folder = target / Path(base).relative_to(source)
        copy = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                copy = folder / name
                shutil.copyfile(Path(base) / name, copy)
        except OSError as error:
            why = paths.reason(error)
            raise OutputError(f"{paths.shown(copy)}: cannot be written: {why}") from error
