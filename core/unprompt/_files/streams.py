"""Outputs that are no regular files: stdout and other open descriptors, FIFOs, devices, sockets."""

from __future__ import annotations

import errno
import logging
import os
import re
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


def is_stream(path: Path) -> bool:
    """Whether bytes go into what ``path`` names, instead of a new file in its place."""
    if _descriptor(path) is not None:
        return True
    with suppress(DataError):  # nothing that can be written; `replacing` says why
        return paths.kind_of(path) == "device"
    return False


def is_stdout(path: Path) -> bool:
    """Whether ``path`` is the stdout of this process."""
    return _descriptor(path) == 1


def check(path: Path) -> None:
    """Check that a stream takes bytes, without opening it: a FIFO waits for its reader.

    Raises:
        OutputError: It is closed, write-protected, or a disk.
    """
    number = _descriptor(path)
    with cannot_be_written(path):
        if number is not None:
            if number == 1 and sys.stdout is None:  # another file may have its number by now
                raise OutputError(f"{path}: cannot be written: it is closed")
            os.fstat(number)
            return
        if stat.S_ISBLK(path.stat().st_mode):
            raise OutputError(f"{paths.shown(path)}: is a whole disk, which is never overwritten")
        if not os.access(path, os.W_OK):
            raise OutputError(f"{paths.shown(path)}: cannot be written: permission denied")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The stream to write into.

    Raises:
        OSError: It cannot be opened or written.
    """
    number = _descriptor(path)
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
    """A device, or a FIFO when somebody reads it."""
    deadline = time.monotonic() + PATIENCE
    asked = False
    while True:
        try:
            number = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.ENXIO:
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


def _descriptor(path: Path) -> int | None:
    """The number of the open file that ``path`` names: opening it anew would lose its position."""
    match = _DESCRIPTOR.fullmatch(str(path))
    return int(match[1]) if match else _STANDARD.get(str(path))
