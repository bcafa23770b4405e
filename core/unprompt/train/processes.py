"""Several processes of one fit: started together, heard by their parent, ended together.

torch and Lightning can start processes, too. Their parents hear nothing until the end, report
whichever process they find first (often one that only lost its peer), and leave processes behind
when they are interrupted themselves.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from unprompt.contracts import Metrics, Progress
from unprompt.errors import DataError, UnpromptError
from unprompt.train.channel import (
    Done,
    Failed,
    Measured,
    Result,
    Shown,
    Step,
    Work,
    run_process,
)

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

OTHERS_SPEAK = 2.0
"""Seconds after a failure in which other processes may name its cause."""
ENDING = 10.0
"""Seconds in which a process has to end by itself once it is asked to."""


def run_together(count: int, work: Work, progress: Progress, metrics: Metrics) -> Any:
    """Call ``work`` in processes, which end together.

    Args:
        count: How many.
        work: Is called in each; see `Work`.
        progress: Shows what the first process says of its progress.
        metrics: Hears of what processes measure.

    Returns:
        What ``work`` gives in the first process.

    Raises:
        UnpromptError: As a process raised it; or one was killed.
        Exception: Any other error of a process, with its traceback as the cause.
    """
    together = _Together()
    try:
        together.start(count, work)
        return together.follow(progress, metrics)
    finally:
        together.end()


class _Together:
    """The parent's side."""

    def __init__(self) -> None:
        self._processes: list[SpawnProcess] = []
        self._open: dict[Connection, int] = {}
        self._failed: list[Failed] = []
        self._killed: list[str] = []
        self._results: dict[int, Any] = {}
        self._until: float | None = None

    def start(self, count: int, work: Work) -> None:
        """Start the processes. ``fork`` is out of the question: torch and faiss survive none."""
        import torch

        context = multiprocessing.get_context("spawn")
        # Plain bytes: what torch sends by itself goes through /dev/shm, which containers limit to
        # 64 MB, and stays memory that all processes share.
        sent = pickle.dumps(work, protocol=pickle.HIGHEST_PROTOCOL)
        threads = max(1, torch.get_num_threads() // count)
        level = logging.getLogger("unprompt").getEffectiveLevel()
        for rank in range(count):
            ours, theirs = context.Pipe(duplex=False)
            given = (rank, theirs, sent, threads, level)
            process = context.Process(target=run_process, args=given, name=f"training-{rank}")
            with _without_hints():
                process.start()
            self._processes.append(process)
            theirs.close()
            self._open[ours] = rank

    def follow(self, progress: Progress, metrics: Metrics) -> Any:
        """Pass on what the processes say until they have ended."""
        messages = self._messages(metrics)
        for message in messages:
            if isinstance(message, Shown):
                steps = _steps(messages)
                for _ in progress(steps, what=message.what, total=message.total):
                    pass
        self._raise()
        return self._results[0]

    def end(self) -> None:
        """End what still runs."""
        patience = ENDING if len(self._results) == len(self._processes) else 0.0
        for process in self._processes:
            process.join(patience)
        for stop in ("terminate", "kill"):
            for process in self._processes:
                if process.is_alive():
                    getattr(process, stop)()
            for process in self._processes:
                process.join(ENDING)
        for end in self._open:
            end.close()

    def _messages(self, metrics: Metrics) -> Iterator[object]:
        """What is said of progress; the rest is dealt with."""
        while self._open:
            left = None if self._until is None else max(0.0, self._until - time.monotonic())
            ready = connection.wait([*self._open], left)
            if not ready:
                return
            for end in ready:
                message = self._received(end)  # type: ignore[arg-type]  # all are connections
                if isinstance(message, Measured):
                    metrics(message.step, message.values)
                elif isinstance(message, logging.LogRecord):
                    logging.getLogger(message.name).handle(message)
                elif message is not None:
                    yield message

    def _received(self, end: Connection) -> object:
        """The next message of a process; None where that was its result or its end."""
        rank = self._open[end]
        try:
            message = end.recv()
        except (EOFError, OSError):
            end.close()
            del self._open[end]
            self._ended(rank)
            return None
        if isinstance(message, Result):
            self._results[rank] = message.value
        elif isinstance(message, Failed):
            self._failed.append(message)
            self._wait_no_longer()
        else:
            return message
        return None

    def _ended(self, rank: int) -> None:
        """A process has closed its channel: at its end, or because somebody killed it."""
        process = self._processes[rank]
        process.join(ENDING)
        if rank not in self._results and (process.exitcode or 0) < 0:
            name = signal.Signals(-(process.exitcode or 0)).name
            self._killed.append(
                f"process {rank + 1} of {len(self._processes)} of the training was killed by "
                f"{name}; is there too little memory for so many `processes`?"
            )
        if rank not in self._results:
            self._wait_no_longer()

    def _wait_no_longer(self) -> None:
        """The others may say why they fail; then it is over."""
        if self._until is None:
            self._until = time.monotonic() + OTHERS_SPEAK

    def _raise(self) -> None:
        """Raise the cause of a failure: other processes only say that they have lost a peer."""
        failed = sorted(self._failed, key=lambda failure: failure.when)
        known = [failure for failure in failed if failure.problems]
        if not known and self._killed:
            raise DataError(self._killed[0])
        for failure in known or failed:
            cause = _InProcessError(failure.trace)
            if isinstance(failure.error, UnpromptError):
                raise type(failure.error)(failure.problems) from cause
            raise (DataError(failure.problems) if failure.problems else failure.error) from cause
        if len(self._results) < len(self._processes):
            raise RuntimeError("a process of the training ended without a word")


@contextmanager
def _without_hints() -> Iterator[None]:
    """Without warnings of torch's C++ parts in processes that start now; they are for authors."""
    name = "TORCH_CPP_LOG_LEVEL"
    before = os.environ.get(name)
    os.environ.setdefault(name, "ERROR")
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


class _InProcessError(Exception):
    """The traceback of another process, as text."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def _steps(messages: Iterator[object]) -> Iterator[None]:
    """Steps of one progress display."""
    for message in messages:
        if isinstance(message, Done):
            return
        if isinstance(message, Step):
            yield None
