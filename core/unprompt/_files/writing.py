"""Writing files and folders atomically: under a temporary name, then renamed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unprompt.errors import OutputError
from unprompt.types import PlainData

SETTLED = 10.0
"""Seconds after which a temporary folder that no process has locked is removed."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it to ``path`` when the block succeeds.

    Raises:
        OutputError: The folder cannot be written, or ``path`` is a folder.
    """
    part = _new_part(path)
    try:
        yield part
        # mkstemp makes private files; results get the permissions that the umask allows.
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_why(error)}") from error
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


@contextmanager
def replacing_folder(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give an empty temporary folder beside ``path``; rename it when the block succeeds.

    The next call removes folders that killed processes left behind. When the block fails, the
    folder is removed, and so are parent folders that were made for it.

    Args:
        path: The final name.
        shared: Whether several processes may make the same folder, named by a hash of its
            content: the first one is then kept. Otherwise it is an error if ``path`` exists.

    Raises:
        OutputError: The folder cannot be written, or exists.
    """
    missing = [folder for folder in path.absolute().parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_why(error)}") from error
    lock = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # shows _remove_abandoned that this process is alive
        yield part
        _apply_umask(part, read_only=shared)
        _rename(part, path, shared=shared)
    finally:
        os.close(lock)
        shutil.rmtree(part, ignore_errors=True)
        if not shared:  # another process may be about to use a shared parent folder
            _remove_empty(missing)


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, innermost first, until one is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _apply_umask(folder: Path, *, read_only: bool) -> None:
    """Give files and folders the permissions that the umask allows; temporary ones are private.

    Shared files are read-only: runs contain hard links to them, so an edit would change both.
    """
    mask = _umask()
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o777 if path.is_dir() else 0o444 if read_only else 0o666) & ~mask)


def _rename(part: Path, path: Path, *, shared: bool) -> None:
    try:
        part.rename(path)
    except OSError as error:
        if not (shared and path.is_dir()):
            raise OutputError(f"{path}: cannot be written: {_why(error)}") from error


def _remove_abandoned(parent: Path) -> None:
    """Remove temporary folders whose process is gone."""
    for part in parent.glob(".*.part"):
        try:
            # A folder that has just been made may not be locked yet.
            if not part.is_dir() or time.time() - part.stat().st_mtime < SETTLED:
                continue
            lock = os.open(part, os.O_RDONLY)
        except FileNotFoundError:
            continue  # its process has just finished
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(part, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


def check_writable(path: Path) -> None:
    """Check that a file can be written, before hours of work.

    Raises:
        OutputError: ``path`` cannot be written.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, not a file")
    folder = path.absolute().parent
    while not folder.exists():  # missing folders are made when the file is written
        folder = folder.parent
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_why(error)}") from error


def _new_part(path: Path) -> Path:
    """An empty temporary file beside ``path``."""
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, not a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_why(error)}") from error
    os.close(handle)
    return Path(name)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 atomically."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` atomically."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_json(path: Path, value: PlainData) -> None:
    """Write ``value`` as indented JSON; raises ValueError for NaN and infinity."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
