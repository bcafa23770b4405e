"""How many cores torch computes on, set for a while and given back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


class _Outside:
    """What torch was set to outside of all blocks, and how many threads are in one."""

    def __init__(self) -> None:
        self.lock, self.blocks, self.threads = threading.Lock(), 0, 1


_outside = _Outside()
_here = threading.local()
"""``inside``: whether this thread is in a block, or one of `one_core_each`."""


@contextmanager
def cores_given_back() -> Iterator[None]:
    """A block that may set torch's number of threads, in this thread and in new ones.

    A thread takes over what was set last, by any thread, when it first asks. So where the blocks of
    several threads overlap, a later one may find what an earlier one has set: they all give back
    what the first of them found.
    """
    import torch

    if getattr(_here, "inside", False):
        found = torch.get_num_threads()
        try:
            yield
        finally:
            torch.set_num_threads(found)
        return
    with _outside.lock:
        if not _outside.blocks:
            _outside.threads = torch.get_num_threads()
        _outside.blocks += 1
    _here.inside = True
    try:
        yield
    finally:
        _here.inside = False
        with _outside.lock:
            _outside.blocks -= 1
            torch.set_num_threads(_outside.threads)


@contextmanager
def one_core_each(count: int, name: str = "compute") -> Iterator[ThreadPoolExecutor]:
    """Threads in each of which torch computes on one core; at the end, what has not begun is left.

    By itself torch splits each operation over as many threads as there are cores, in each of ours.
    """
    with cores_given_back():
        pool = ThreadPoolExecutor(count, name, _on_one_core)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _on_one_core() -> None:
    import torch

    _here.inside = True
    torch.set_num_threads(1)
