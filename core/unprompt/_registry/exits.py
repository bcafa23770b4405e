"""``os._exit`` in a plugin's call, which would end a command in silence and with any exit code."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_really = os._exit
_calls = threading.local()


@contextmanager
def exits_raised() -> Iterator[None]:
    """Let ``os._exit`` raise SystemExit in the block, as ``sys.exit`` does.

    Only in this thread, and not in a process that is forked inside the block, which ends so.
    """
    before = getattr(_calls, "process", None)
    _calls.process = os.getpid()
    os._exit = _exit
    try:
        yield
    finally:
        _calls.process = before


def _exit(status: int) -> NoReturn:
    if getattr(_calls, "process", None) == os.getpid():
        raise SystemExit(f"os._exit({status})")
    _really(status)
