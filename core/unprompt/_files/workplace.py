"""Temporary folders of our own, in which results are made before they get their name.

A name alone is no proof of ownership, so each holds a mark: a file that we wrote, and that our
process has locked as long as it lives. Only what has the name, the mark and no living process is
ever removed; a user's ``.holiday.part`` has neither.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "made-by-unprompt"
"""The file in each folder that says whose it is."""

_CONTENT = b"unprompt 3f6c8f0e5b7e4c0f: a result in the making; safe to remove without a process\n"
_NAME = re.compile(r"\.unprompt-[0-9a-f]{16}\.part")


@dataclass(frozen=True, slots=True)
class Workplace:
    """A temporary folder of ours.

    Attributes:
        folder: It and its mark.
        content: Where the result is made: an empty folder, or the name of a file, inside.
    """

    folder: Path

    @property
    def content(self) -> Path:
        """The result's temporary name."""
        return self.folder / "content"

    def keep(self) -> None:
        """Take the mark away, so that nobody ever removes what is here."""
        with suppress(OSError):
            (self.folder / MARK).unlink()


@contextmanager
def parents_of(path: Path) -> Iterator[None]:
    """Make the folders above ``path``; where the block fails, remove those that were not there.

    Raises:
        OSError: They cannot be made.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        make_folder(path.parent)
        yield
    except BaseException:
        with suppress(OSError):
            for folder in missing:  # innermost first, until one is not empty
                folder.rmdir()
        raise


def make_folder(path: Path) -> None:
    """Make a folder and those above it.

    Raises:
        NotADirectoryError: One of them is a file or a device.
        OSError: They cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        reason = os.strerror(errno.ENOTDIR)
        raise NotADirectoryError(errno.ENOTDIR, reason, error.filename) from error


@contextmanager
def workplace(parent: Path, reserved: str | None = None) -> Iterator[Workplace]:
    """A workplace in ``parent``, removed at the end unless it is kept.

    Those whose process was killed are removed first.

    Args:
        parent: An existing folder, on the file system of the result.
        reserved: What the result will be called; of several workplaces for one name only one
            can be open.

    Raises:
        FileExistsError: Another process has reserved this name.
        OSError: The folder cannot be written.
    """
    remove_abandoned(parent)
    folder = parent / f".unprompt-{secrets.token_hex(8)}.part"
    folder.mkdir(mode=0o700)
    try:
        lock = _sign(folder)
    except BaseException:  # a full disk takes folders and no bytes, and without mark it would stay
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        if reserved is not None:
            folder = _renamed(folder, parent / _name(reserved))
        yield Workplace(folder)
    finally:
        if (folder / MARK).exists():
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _renamed(folder: Path, name: Path) -> Path:
    try:
        return folder.rename(name)  # onto a folder that is not empty this fails
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise FileExistsError(f"{name}: in use") from error


def _sign(folder: Path) -> int:
    """Write the mark, locked before it has its content; gives the lock."""
    lock = os.open(folder / MARK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with suppress(OSError):  # a file system without locks: nobody can take it for abandoned
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.write(lock, _CONTENT)
    except BaseException:
        os.close(lock)
        raise
    return lock


def remove_abandoned(parent: Path) -> None:
    """Remove workplaces in ``parent`` whose process is gone."""
    with os.scandir(parent) as entries:
        names = [entry.name for entry in entries if _is_workplace(entry)]
    for name in names:
        with suppress(OSError):  # another user's, or it has just been finished
            _remove_if_abandoned(parent / name)


def is_workplace(path: Path) -> bool:
    """Whether a folder has the name and the mark of a workplace."""
    with suppress(OSError):
        return bool(_NAME.fullmatch(path.name)) and (path / MARK).read_bytes() == _CONTENT
    return False


def _is_workplace(entry: os.DirEntry[str]) -> bool:
    return bool(_NAME.fullmatch(entry.name)) and entry.is_dir(follow_symlinks=False)


def _remove_if_abandoned(folder: Path) -> None:
    lock = os.open(folder / MARK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if os.read(lock, len(_CONTENT) + 1) != _CONTENT:
            return
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between opening and locking, another process may have removed it and a third made one of
        # the same name: then the mark is another file.
        if os.path.samestat(os.fstat(lock), (folder / MARK).lstat()):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _name(reserved: str) -> str:
    """The one name for what will be called ``reserved``: short, however long that is."""
    digest = hashlib.sha256(os.fsencode(reserved)).hexdigest()
    return f".unprompt-{digest[:16]}.part"
