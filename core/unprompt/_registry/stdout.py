"""Keep stdout for results while code of plugins runs, whichever way that code writes to it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

_STDOUT, _STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class _Real:
    """What stdout was before the first of the calls that are under way.

    Attributes:
        stream: ``sys.stdout``.
        original: ``sys.__stdout__``.
        descriptor: A copy of descriptor 1; None where the stream does not write to that.
    """

    stream: TextIO
    original: TextIO | None
    descriptor: int | None


_lock = threading.Lock()
_calls = 0
_real: _Real | None = None
_used = False


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send to stderr what is printed until the last of the calls that are under way is done.

    Where ``sys.stdout`` writes to descriptor 1, that is redirected, too: for ``os.write``,
    ``sys.__stdout__``, libraries in C, and processes that are started meanwhile.

    Raises:
        OSError: The block closed the copy of descriptor 1, so that it cannot be restored.
    """
    global _calls, _real, _used  # of the process, as stdout is
    with _lock:
        if not _calls:
            _real, _used = _divert(), True
        _calls += 1
    try:
        yield
    finally:
        with _lock:
            _calls -= 1
            if not _calls and _real:
                _restore(_real)
                _real = None


def keep_from_exit_handlers() -> None:
    """Send to stderr what plugins print from now on: as the process ends, in ``atexit``, too.

    Does nothing where no plugin was called, or ``sys.stdout`` does not write to descriptor 1.
    """
    with _lock:
        if _used and not _calls and _descriptor(sys.stdout) == _STDOUT:
            real = _divert()
            if real.descriptor is not None:
                os.close(real.descriptor)


def _divert() -> _Real:
    copy = None
    if _descriptor(sys.stdout) == _STDOUT:
        with suppress(OSError):  # stdout is closed: nothing to keep
            copy = os.dup(_STDOUT)
    real = _Real(sys.stdout, sys.__stdout__, copy)
    sys.stdout = sys.stderr
    if copy is not None:
        sys.__stdout__ = sys.stderr  # type: ignore[assignment, misc]  # Final for type checkers only
        _redirect()
    return real


def _redirect() -> None:
    """Descriptor 1 becomes stderr, or nothing where that is closed: 2 may be any file then."""
    if _descriptor(sys.__stderr__) == _STDERR:
        with suppress(OSError):
            os.dup2(_STDERR, _STDOUT)
            return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDOUT)
    os.close(nowhere)


def _restore(real: _Real) -> None:
    sys.stdout = real.stream
    if real.descriptor is not None:
        sys.__stdout__ = real.original  # type: ignore[assignment, misc]  # as above
        os.dup2(real.descriptor, _STDOUT)
        os.close(real.descriptor)


def _descriptor(stream: TextIO | None) -> int | None:
    """The descriptor that a stream writes to; None where it has none, as in a test."""
    try:
        return stream.fileno() if stream else None
    except (OSError, ValueError):
        return None
