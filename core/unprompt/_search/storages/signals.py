"""Signals that end a process, put off while it does what must not be left half-done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


@contextmanager
def put_off() -> Iterator[None]:
    """Run a block of milliseconds whole; a signal that comes meanwhile does its work afterwards.

    Python runs handlers between any two steps of the main thread, so that no ``finally`` is safe
    from one that raises. Other threads are never interrupted, and SIGKILL cannot be put off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    inside, came = True, list[int]()

    def note(number: int, frame: FrameType | None) -> None:
        if inside:
            came.append(number)
        else:  # another signal ended this function before it came to this one's handler
            signal.signal(number, theirs[number])
            signal.raise_signal(number)

    found = {number: signal.getsignal(number) for number in ENDING}
    theirs = {int(number): handler for number, handler in found.items() if handler is not None}
    try:
        for number in theirs:
            signal.signal(number, note)
        yield
    finally:
        inside = False
        for number, handler in theirs.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)
