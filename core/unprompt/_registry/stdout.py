"""Keep stdout for results while code of plugins runs, whichever way that code writes to it."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
        errors: ``sys.stderr``.
        error_descriptor: A copy of descriptor 2; None where there is none for 1.
    """

    stream: TextIO
    original: TextIO | None
    descriptor: int | None
    errors: TextIO | None
    error_descriptor: int | None


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
        OSError: The block closed the copies of descriptors 1 and 2, so they cannot be restored.
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
            for copy in (real.descriptor, real.error_descriptor):
                if copy is not None:
                    os.close(copy)


def _divert() -> _Real:
    out = errors = None
    if _descriptor(sys.stdout) == _STDOUT:
        out = _copy(_STDOUT)
        errors = _copy(_STDERR) if _descriptor(sys.__stderr__) == _STDERR else None
    real = _Real(sys.stdout, sys.__stdout__, out, sys.stderr, errors)
    sys.stdout = sys.stderr
    if out is not None:
        sys.__stdout__ = sys.stderr  # type: ignore[assignment, misc]  # Final for type checkers only
        _redirect(errors)
    return real


def _copy(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:  # it is closed: nothing to keep
        return None


def _redirect(errors: int | None) -> None:
    """Descriptor 1 becomes stderr, or nothing where that is closed: 2 may be any file then."""
    target = os.open(os.devnull, os.O_WRONLY) if errors is None else errors
    os.dup2(target, _STDOUT)
    if errors is None:
        os.close(target)


def _restore(real: _Real) -> None:
    sys.stdout = real.stream
    if _is_gone(sys.stderr):  # a plugin took it, or closed it
        sys.stderr = real.errors
    if real.descriptor is not None:
        sys.__stdout__ = real.original  # type: ignore[assignment, misc]  # as above
    for copy, descriptor in ((real.error_descriptor, _STDERR), (real.descriptor, _STDOUT)):
        if copy is not None:
            os.dup2(copy, descriptor)
            os.close(copy)
    if real.errors is not None and _is_gone(sys.stderr) and real.error_descriptor is not None:
        sys.stderr = io.TextIOWrapper(
            io.FileIO(_STDERR, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
        )


def _is_gone(stream: TextIO | None) -> bool:
    return stream is None or bool(getattr(stream, "closed", False))


def _descriptor(stream: TextIO | None) -> int | None:
    """The descriptor that a stream writes to; None where it has none, as in a test."""
    try:
        return stream.fileno() if stream else None
    except (OSError, ValueError):
        return None
