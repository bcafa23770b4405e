"""Threads that each compute on one core, so that none waits for another within an operation."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from unprompt._compute.cores import cores_given_back, one_core_each

T = TypeVar("T")
R = TypeVar("R")

SMALL = 20_000_000
"""Parameters of a model whose products are over before a second thread has begun.

Captions of the embedded BLIP (1.5 million parameters) took 1.6 s with two threads and 1.1 with one.
"""
Workers: TypeAlias = Callable[[Callable[[Any], None], Iterable[Any]], None]
"""Calls a function for each of some things, in any order; raises what it raises."""


@contextmanager
def workers(threads: int) -> Iterator[Workers]:
    """Start threads; torch computes on one core in each, and in this one, meanwhile.

    torch's own way is to split each operation over its threads and to wait for the last: on a
    busy machine every one of a tile's twenty operations waits for a core.

    Inference mode is off meanwhile: it is each thread's own, and the others could not write to
    tensors that were made in it.

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

    with cores_given_back(), torch.inference_mode(False):
        torch.set_num_threads(1)
        if threads == 1:
            yield alone
            return
        with one_core_each(threads) as pool:
            yield each


def side_by_side(call: Callable[[T], R], things: Sequence[T], device: str) -> Generator[R]:
    """``call(thing)`` for each thing, in their order; on a processor several at once.

    Each is computed on one core, see `workers`. On another device, and in a thread that has one
    core, one after another in this thread. Close it (`contextlib.closing`) where an error may
    leave it unfinished.

    Args:
        call: Safe to be called by several threads.
        things: N things.
        device: What ``call`` computes on.
    """
    import torch

    threads = torch.get_num_threads()
    if not is_processor(device) or threads == 1 or len(things) < 2:
        yield from map(call, things)
        return
    with one_core_each(threads) as pool:
        jobs = [pool.submit(call, thing) for thing in things]
        for job in jobs:
            yield job.result()


def shared_out(work: int, most: int, device: str) -> int:
    """How much of ``work`` each of `side_by_side`'s things should be, so that no core waits long.

    Args:
        work: Of anything, such as tokens.
        most: Of it in one thing, at least 1.
        device: What computes.
    """
    import torch

    cores = torch.get_num_threads() if is_processor(device) else 1
    things = cores * math.ceil(work / (cores * most))
    return math.ceil(work / things) if things else most


def ahead(
    call: Callable[[T], R], things: Iterable[T], device: str, *, threads: int = 1
) -> Generator[R]:
    """``call(thing)`` for each thing, in their order; on a processor, the next ones meanwhile.

    Who takes the results often uses one core, as a small model does. A GPU works on its own, and
    has no context in other threads: there everything is done in this one. Close it
    (`contextlib.closing`) where an error may leave it unfinished.

    Args:
        call: Safe to be called by ``threads`` threads.
        things: Taken in this thread, ``threads`` more of them than results; an error of theirs
            comes after the results of those before it.
        device: What ``call`` computes on.
        threads: How many are computed at a time.
    """
    if not is_processor(device):
        yield from map(call, things)
        return
    pool, jobs = ThreadPoolExecutor(threads, "ahead"), deque[Future[R]]()
    failed: list[Exception] = []
    try:
        for thing in _until_it_fails(things, failed):
            jobs.append(pool.submit(call, thing))
            if len(jobs) > threads:
                yield jobs.popleft().result()
        while jobs:
            yield jobs.popleft().result()
        for error in failed:
            raise error
    finally:
        pool.shutdown(cancel_futures=True)


def _until_it_fails(things: Iterable[T], failed: list[Exception]) -> Iterator[T]:
    """The things up to an error, which is put into ``failed``."""
    try:
        yield from things
    except Exception as error:  # noqa: BLE001  # raised again, in its turn
        failed.append(error)


def cores_for(parameters: int, device: str) -> int:
    """How many of a model's batches may be computed at a time: one, unless it is `SMALL`."""
    import torch

    small = parameters <= SMALL and is_processor(device)
    return torch.get_num_threads() if small else 1


def is_processor(device: str) -> bool:
    """Whether a torch device is the processor, ``cpu`` or ``cpu:0``."""
    return device.partition(":")[0] == "cpu"


@contextmanager
def one_core_where_small(parameters: int) -> Iterator[None]:
    """A block in which torch computes on one core, if the model is `SMALL`."""
    import torch

    if parameters > SMALL or torch.get_num_threads() == 1:
        yield
        return
    with cores_given_back():
        torch.set_num_threads(1)
        yield
