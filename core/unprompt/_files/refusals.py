"""What the operating system refuses while something is written, as one line."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unprompt._files import paths
from unprompt.errors import OutputError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Nobody's bug: a full disk, a quota, a limit, a disk that became read-only."""


_NO_WAY = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ENFILE)
"""Nobody's bug either: what a user's file or system does not allow."""


@contextmanager
def cannot_be_written(path: Path) -> Iterator[None]:
    """Turn every OSError into one line about ``path``.

    Raises:
        OutputError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        why = no_room(error) or paths.reason(error)
        raise OutputError(f"{paths.shown(path)}: cannot be written: {why}") from error


@contextmanager
def room_needed(path: Path) -> Iterator[None]:
    """Turn a full disk into one line about ``path``; every other error passes.

    Raises:
        OutputError: There is no room for what the block writes.
    """
    try:
        yield
    except Exception as error:
        why = no_room(error)
        if why is None or isinstance(error, OutputError):
            raise
        raise OutputError(f"{paths.shown(path)}: cannot be written: {why}") from error


def no_room(error: BaseException) -> str | None:
    """In which way a disk is full, where that is the cause of ``error``; else None."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return os.strerror(error.errno).lower()  # pyarrow's own text says more than people need
    # A copied folder raises one error with all reasons; safetensors and pyarrow raise errors of
    # their own. Both hold the system's words.
    kinds = (shutil.Error, RuntimeError, ValueError)
    if isinstance(error, kinds) or type(error).__module__.startswith(("safetensors", "pyarrow")):
        return next((text for text in _words() if text in str(error).lower()), None)
    return None


def refused(error: BaseException) -> str | None:
    """What the operating system does not allow, with the file; None for any other error."""
    why = no_room(error)
    if why is None and isinstance(error, OSError) and error.errno in _NO_WAY:
        why = paths.reason(error)
    if why is None:
        return None
    name = getattr(error, "filename", None)
    where = "stdout, or a file that is being written"
    if isinstance(name, str | bytes):
        where = paths.shown(os.fsdecode(name))
    return f"{where}: {why}"


def _words() -> list[str]:
    return [os.strerror(number).lower() for number in _NO_ROOM]
