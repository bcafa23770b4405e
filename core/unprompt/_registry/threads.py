"""Say whose thread the end of a command waits for: Python waits for each that is no daemon."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

OPENING = "open-images"
"""How the names of the threads begin that open images for families of ours."""

_PATIENCE = 1.0
"""Seconds of waiting before it is said."""

_owners: WeakKeyDictionary[threading.Thread, str] = WeakKeyDictionary()


@contextmanager
def noting_threads(owner: str) -> Iterator[None]:
    """Note which threads are started in the block.

    Only in the main thread: others open images side by side, and which of them started a thread
    is not known. Those that open images are ours, whoever's images they are.

    Args:
        owner: The plugin whose code the block calls, as errors name it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = set(threading.enumerate())
    try:
        yield
    finally:
        for thread in threading.enumerate():
            if thread.name.startswith(OPENING) or thread.daemon:
                continue
            if thread not in before:
                _owners.setdefault(thread, owner)


def name_what_is_waited_for(say: Callable[[str], None]) -> None:
    """As the command ends: name the plugins' threads that keep the process alive.

    Args:
        say: Prints a line on stderr.
    """
    if any(thread.is_alive() for thread in list(_owners)):
        timer = threading.Timer(_PATIENCE, _name, [say])
        timer.daemon = True  # nobody waits for it: where the process ends before, nothing is said
        timer.start()


def _name(say: Callable[[str], None]) -> None:
    for thread, owner in list(_owners.items()):
        if thread.is_alive():
            say(f"waiting for thread {thread.name!r}, which was started in a call of {owner}")
