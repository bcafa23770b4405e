"""Writing files atomically: under a temporary name, then renamed.

As ``sed -i`` and editors do, an existing file keeps its permissions and a link keeps leading to
it. What is no regular file, such as a FIFO, a device or stdout, gets the bytes instead.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from unprompt._files import paths, streams
from unprompt._files.refusals import cannot_be_written
from unprompt._files.workplace import make_folder, parents_of, workplace
from unprompt.errors import DataError, OutputError
from unprompt.types import PlainData


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name; ``path`` gets what is there when the block succeeds.

    Folders above ``path`` are made, and removed when the block fails.

    Raises:
        OutputError: The file cannot be written, or ``path`` is a folder. Where only the last step
            fails, the line says where the finished file is.
    """
    if streams.is_stream(path):
        with _streaming(path) as part:
            yield part
        return
    target = _target(path)
    with cannot_be_written(path), parents_of(target), workplace(target.parent) as work:
        yield work.content
        _set_permissions(work.content, target)
        try:
            _take_place(work.content, target)
        except OSError as error:
            work.keep()
            raise OutputError(
                f"{paths.shown(path)}: cannot be written: {paths.reason(error)}; the result is "
                f"kept in {paths.shown(work.content)}"
            ) from error


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder; rename it to ``path`` when the block succeeds.

    Several processes may make the same folder, named by a hash of its content: the first one is
    kept. Its files are read-only: runs contain hard links to them, so an edit would change both.

    Raises:
        OutputError: The folder cannot be written.
    """
    with ExitStack() as stack:
        with cannot_be_written(path):
            make_folder(path.parent)
            work = stack.enter_context(workplace(path.parent))
            work.content.mkdir()
        yield work.content
        with cannot_be_written(path):
            _protect(work.content)
            try:
                work.content.rename(path)
            except OSError:
                if not path.is_dir():
                    raise


def _protect(folder: Path) -> None:
    """Take away the right to write files; links are left alone, what they lead to is not ours."""
    mask = _umask()
    for path in folder.rglob("*"):
        if not path.is_symlink() and not path.is_dir():
            path.chmod(0o444 & ~mask)


def _take_place(part: Path, target: Path) -> None:
    """Give a finished file its name."""
    try:
        part.replace(target)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        shutil.copyfile(part, target)  # a file that is a mount point can only be filled


def _set_permissions(part: Path, target: Path) -> None:
    """Those of the file that is replaced, with its owner where we may; else what the umask says."""
    try:
        old = target.stat()
    except FileNotFoundError:
        part.chmod(0o666 & ~_umask())
        return
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(OSError):
            os.chown(part, old.st_uid, old.st_gid)
    part.chmod(stat.S_IMODE(old.st_mode) & 0o777)


@contextmanager
def _streaming(path: Path) -> Iterator[Path]:
    """A temporary file, whose bytes go to ``path`` at the end: formats such as Parquet seek."""
    streams.check(path)
    with cannot_be_written(path), tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "content"
        yield part
        with part.open("rb") as content, streams.opened(path) as stream:
            shutil.copyfileobj(content, stream)


def check_writable(path: Path) -> None:
    """Check that a file can be written, before hours of work.

    Raises:
        OutputError: ``path`` cannot be written.
    """
    if streams.is_stream(path):
        streams.check(path)
        return
    folder = _target(path).parent
    while not paths.exists(folder):  # missing folders are made when the file is written
        folder = folder.parent
    with cannot_be_written(path):
        tempfile.TemporaryFile(dir=folder).close()


def _target(path: Path) -> Path:
    """The regular file that ``path`` means, links followed; it may not exist.

    Raises:
        OutputError: It is a folder, write-protected, or has a name that no file can have.
    """
    try:
        kind = paths.kind_of(path)
    except DataError as error:
        raise OutputError([f"cannot be written: {line}" for line in error.problems]) from error
    if kind == "folder":
        raise OutputError(f"{paths.shown(path)}: is a folder, not a file")
    target = paths.absolute(path).resolve()
    if kind == "file" and not os.access(target, os.W_OK):
        raise OutputError(f"{paths.shown(path)}: cannot be written: it is write-protected")
    return target


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
