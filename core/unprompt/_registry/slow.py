"""Name a plugin whose import or hook takes long, while it still runs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PATIENCE = 10.0
"""Seconds after which it is said."""


@contextmanager
def named_when_slow(owner: str, call: str) -> Iterator[None]:
    """Write one line to stderr where the block runs for longer than `PATIENCE`.

    Args:
        owner: The plugin whose code the block calls, as errors name it.
        call: An import or a hook; empty: nothing that can take long.
    """
    if not call:
        yield
        return
    line = f"{owner}: {call} has taken {PATIENCE:g} s so far"
    timer = threading.Timer(PATIENCE, _say, [line])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say(line: str) -> None:
    with suppress(OSError, ValueError, AttributeError):  # stderr is closed, or a plugin took it
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
