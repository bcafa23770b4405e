"""Threads that each compute on one core, so that none waits for another within a tile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

Workers: TypeAlias = Callable[[Callable[[Any], None], Iterable[Any]], None]
"""Calls a function for each of some things, in any order; raises what it raises."""


@contextmanager
def workers(threads: int) -> Iterator[Workers]:
    """Start threads; torch computes on one core in each, and in this one, meanwhile.

    torch's own way is to split each operation over its threads and to wait for the last: on a
    busy machine every one of a tile's twenty operations waits for a core.

    Args:
        threads: How many; of one alone, this thread takes the place, which has a GPU's context.

    Yields:
        What calls a function in them.
    """
    import torch

    def each(call: Callable[[Any], None], things: Iterable[Any]) -> None:
        jobs = [pool.submit(call, thing) for thing in things]
        try:
            for job in jobs:
                job.result()
        finally:
            for job in jobs:
                job.cancel()

    def alone(call: Callable[[Any], None], things: Iterable[Any]) -> None:
        for thing in things:
            call(thing)

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if threads == 1:
            yield alone
            return
        with ThreadPoolExecutor(
            threads, "bank search", initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            yield each
    finally:
        torch.set_num_threads(before)
