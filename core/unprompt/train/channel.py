"""What one of several processes of a fit does, and says to its parent."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING, Any, TypeVar

from unprompt.errors import UnpromptError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shown:
    """A progress display begins; `Step`s follow, and `Done`."""

    what: str
    total: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """One item of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """It ends."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics of a step."""

    step: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Failed:
    """A process has failed; ``trace`` is its traceback as text."""

    when: float
    error: BaseException
    problems: tuple[str, ...]
    trace: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a process gives; its last message."""

    value: Any


class Channel:
    """What one of several processes says to its parent."""

    def __init__(self, end: Connection) -> None:
        """Take the end of a pipe that is written to."""
        self._end, self._lock = end, threading.Lock()

    def progress(self, items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
        """A `Progress` that the parent shows."""
        self.send(Shown(what, total))
        for item in items:
            yield item
            self.send(Step())
        self.send(Done())

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """`Metrics` that the parent hears."""
        self.send(Measured(step, dict(values)))

    def put_nowait(self, record: logging.LogRecord) -> None:
        """A line of a log; called as a queue is by `QueueHandler`."""
        self.send(record)

    def send(self, message: object) -> None:
        """Say something; whole, whichever thread says it."""
        with self._lock:
            self._end.send(message)


Work = Callable[[int, Channel], Any]
"""What a process does: its number, and its channel to the parent; can be pickled."""


def run_process(rank: int, end: Connection, sent: bytes, threads: int, level: int) -> None:
    """One of the processes; ``sent`` is the `Work`, pickled."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who ends all
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    channel = Channel(end)
    logging.getLogger().addHandler(QueueHandler(channel))  # type: ignore[arg-type]  # no queue
    logging.getLogger("unprompt").setLevel(level)
    try:
        work: Work = pickle.loads(sent)
        channel.send(Result(work(rank, channel)))
    except BaseException as error:  # noqa: BLE001  # the parent raises it
        when, trace = time.monotonic(), traceback.format_exc()
        channel.send(Failed(when, _sendable(error), _problems(error), trace))
        raise SystemExit(1) from None
    finally:
        end.close()


def _end_with_parent() -> None:
    """End this process when its parent has ended: nobody would hear of what it does."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _sendable(error: BaseException) -> BaseException:
    """The error, or what can be sent in its place."""
    with suppress(Exception):
        if pickle.loads(pickle.dumps(error)).args == error.args:
            return error
    return RuntimeError(f"{type(error).__name__}: {error}")


def _problems(error: BaseException) -> tuple[str, ...]:
    """Those of a user's mistake, which pickle would make one."""
    return error.problems if isinstance(error, UnpromptError) else ()
