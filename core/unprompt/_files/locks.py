"""Locks on files, which end with the process that holds them, however that ends."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

_BUSY = (errno.EWOULDBLOCK, errno.EACCES)


def open_lock(path: Path) -> int:
    """Open a lock's file, made where there is none; closing it gives the lock back.

    Raises:
        OSError: It cannot be made, such as in a folder that is gone.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def take_lock(handle: int, *, wait: bool) -> bool:
    """Lock an open file; one of a file system without locks counts as locked.

    Args:
        handle: See `open_lock`.
        wait: Whether to wait for another process.

    Returns:
        Whether it is held: False where another process has it.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        return error.errno not in _BUSY
    return True
