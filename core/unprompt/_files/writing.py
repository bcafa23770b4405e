"""Writing files so that nothing half-written is ever seen."""

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
from unprompt.types import Json

SETTLED = 10.0
"""Seconds after which a temporary folder that nobody holds is a dead process's."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it there when the block ends well.

    Raises:
        OutputError: The folder cannot be written, or ``path`` is a folder.
    """
    part = _new_part(path)
    try:
        yield part
        # mkstemp makes private files; results are for everybody the umask allows.
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_why(error)}") from error
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


@contextmanager
def replacing_folder(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give an empty temporary folder beside ``path``; rename it there when the block ends well.

    A folder that a killed process left behind is removed by the next one. When the block fails,
    nothing is left behind, parent folders that were made for it included.

    Args:
        path: The final name.
        shared: Whether several processes may make the same folder, named by a hash of what it
            holds: then the first one stays. Otherwise a ``path`` that exists is an error.

    Raises:
        OutputError: The folder cannot be written, or exists.
    """
    made = [folder for folder in path.absolute().parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_why(error)}") from error
    lock = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tells _sweep that somebody is alive in here
        yield part
        _open_up(part, read_only=shared)
        _rename(part, path, shared=shared)
    finally:
        os.close(lock)
        shutil.rmtree(part, ignore_errors=True)
        if not shared:  # below a shared parent another process may just be starting
            _remove_empty(made)


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders, innermost first, until one holds something."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _open_up(folder: Path, *, read_only: bool) -> None:
    """Give files and folders the rights that the umask allows; temporary ones are private.

    Shared files are read-only: runs hold hard links to them, and nobody should edit both at once.
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


def _sweep(parent: Path) -> None:
    """Remove temporary folders whose process is gone."""
    for part in parent.glob(".*.part"):
        try:
            # A folder of this very second may not be locked yet.
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
    """Fail now rather than after hours of work.

    Raises:
        OutputError: ``path`` cannot be written.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder, not a file")
    folder = path.absolute().parent
    while not folder.exists():  # it is made when there is something to write
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
    """Write ``text`` as UTF-8, all or nothing."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content``, all or nothing."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_json(path: Path, value: Json) -> None:
    """Write ``value`` as indented JSON; a NaN is refused, as it is no JSON."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
