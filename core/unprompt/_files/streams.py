"""Outputs that are no regular files: stdout and other open descriptors, FIFOs, devices, sockets."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from unprompt._files import paths
from unprompt._files.refusals import cannot_be_written
from unprompt.errors import DataError, OutputError

log = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds for which a finished result waits for a reader of its FIFO."""

STDOUT = Path("/dev/stdout")
"""What ``-`` means."""

_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_LINUX = re.compile(r"/proc/([0-9]+)(?:/task/[0-9]+)?/fd/([0-9]{1,255})")
_OTHERS = re.compile(r"/dev/fd/([0-9]{1,255})")
_LINKS = 40
"""Links in a row that Linux follows."""

_LARGEST = 2**31 - 1
"""The largest number of an open file, a C int."""


@dataclass(frozen=True, slots=True)
class _Descriptor:
    """An open file that a path leads to: its number, and whether it is another process's."""

    number: int
    foreign: bool = False


def is_stream(path: Path) -> bool:
    """Whether bytes go into what ``path`` names, instead of a new file in its place."""
    if _descriptor(path) is not None:
        return True
    with suppress(DataError):  # nothing that can be written; `replacing` says why
        return paths.kind_of(path) == "device"
    return False


def is_stdout(path: Path) -> bool:
    """Whether ``path`` is the stdout of this process."""
    return _own_number(path) == 1


def check(path: Path) -> None:
    """Check that a stream takes bytes, without opening it: a FIFO waits for its reader.

    Raises:
        OutputError: It is closed, write-protected, a folder or a disk.
    """
    number = _own_number(path)
    with cannot_be_written(path):
        if number is not None:
            _check_open(path, number)
            return
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise OutputError(f"{paths.shown(path)}: is a folder, not a file")
        if stat.S_ISBLK(mode):
            raise OutputError(f"{paths.shown(path)}: is a whole disk, which is never overwritten")
        if not os.access(path, os.W_OK):
            raise OutputError(f"{paths.shown(path)}: cannot be written: permission denied")
        if stat.S_ISCHR(mode):  # such as /dev/tty without a terminal
            os.close(_open(path))


def _check_open(path: Path, number: int) -> None:
    """Check that a descriptor of this process takes bytes."""
    # Where stdout was closed, another file may have its number by now.
    if number > _LARGEST or (number == 1 and sys.stdout is None):
        raise OutputError(f"{paths.shown(path)}: cannot be written: it is closed")
    if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OutputError(f"{paths.shown(path)}: cannot be written: it is open for reading only")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The stream to write into.

    Raises:
        OSError: It cannot be opened or written.
    """
    number = _own_number(path)
    if number is not None:
        if sys.stdout is not None:
            sys.stdout.flush()
        with os.fdopen(os.dup(number), "wb") as file:
            yield file
    elif stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            with connection.makefile("wb") as file:
                yield cast("BinaryIO", file)
    else:
        with os.fdopen(_open(path), "wb") as file:
            yield file


def _open(path: Path) -> int:
    """A device, an open file of another process, or a FIFO when somebody reads it."""
    mode = path.stat().st_mode
    # Bytes are appended to what another process has open: it does not expect to lose any.
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | (os.O_APPEND * stat.S_ISREG(mode))
    deadline = time.monotonic() + PATIENCE
    asked = False
    while True:
        try:
            number = os.open(path, flags)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(mode):
                raise
        else:
            os.set_blocking(number, True)
            return number
        if time.monotonic() > deadline:
            raise OSError(errno.ENXIO, f"nobody has read it for {PATIENCE:g} seconds")
        if not asked:
            log.warning("%s: waiting up to %g seconds for a reader", paths.shown(path), PATIENCE)
            asked = True
        time.sleep(0.05)


def _own_number(path: Path) -> int | None:
    """The number of the open file of this process that ``path`` leads to."""
    descriptor = _descriptor(path)
    return None if descriptor is None or descriptor.foreign else descriptor.number


def _descriptor(path: Path) -> _Descriptor | None:
    """The open file that ``path`` leads to: opening it anew would lose its position.

    Links are followed one by one, as the system's last one leads on to the file's own name, which
    must not be replaced.
    """
    with suppress(OSError, ValueError):  # nobody can look at it; others say why
        name = os.path.join(os.getcwd(), path)
        for _ in range(_LINKS):
            folder, last = os.path.split(name)
            folder = "/" + os.path.realpath(folder).lstrip("/")  # POSIX keeps a leading //
            name = os.path.join(folder, last)
            if name in _STANDARD:
                return _Descriptor(_STANDARD[name])
            if match := _LINUX.fullmatch(name):
                return _Descriptor(int(match[2]), match[1] != os.readlink("/proc/self"))
            if match := _OTHERS.fullmatch(name):
                return _Descriptor(int(match[1]))
            name = os.path.join(folder, os.readlink(name))
    return None
