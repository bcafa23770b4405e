"""What a training measures, step by step: a file of JSON lines, TensorBoard, and observers.

No failure to write ends a training: metrics are there to be looked at, and days of work are not
given up for them. What cannot be written is said once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, SupportsFloat, TypeVar

from unprompt._data.metrics import (
    CARD,
    FOLDER,
    METRICS,
    OWN_KEYS,
    MetricsLine,
    read_metrics,
    scan_metrics,
)
from unprompt._files import paths
from unprompt._files.refusals import no_room
from unprompt._files.writing import write_text
from unprompt.contracts import Metrics, unheard
from unprompt.errors import UnpromptError
from unprompt.train._events import EventFile

__all__ = ["CARD", "FOLDER", "METRICS", "MetricsLine", "MetricsLog", "read_metrics"]

log = logging.getLogger(__name__)

T = TypeVar("T")


class MetricsLog:
    """Writes ``metrics.jsonl`` and a TensorBoard event file, and tells an observer.

    Use it in one process only, as a context manager or with `close` at the end. Without `resume`,
    the first `log` begins both files anew.
    """

    def __init__(self, folder: Path, observer: Metrics = unheard) -> None:
        """Write nothing yet.

        Args:
            folder: Of the training; made when something is written.
            observer: Called with each step's number and its metrics, epoch and seconds among
                them; `TrainSet.metrics` is one.
        """
        self._folder, self._observer = folder, observer
        self._started, self._begun = time.monotonic(), False
        self._events: EventFile | None = None
        self._warned: set[str] = set()

    def resume(self, step: int) -> None:
        """Go on behind ``step``: what was measured later is cut, as it will be measured again.

        The observer hears of the steps that are kept: it may be a new run's. A last line that a
        killed process has cut is dropped, and damaged lines are, with a warning.

        Args:
            step: Optimiser steps taken so far, as the checkpoint says; 0: begin anew.
        """
        lines: list[MetricsLine] = []
        if step > 0 and paths.exists(self._folder / METRICS):
            scanned = self._guarded(METRICS, lambda: scan_metrics(self._folder / METRICS))
            lines, problems = scanned or ([], [])
            if problems:
                log.warning("%s: lines that cannot be read are dropped", problems[0])
        lines = [line for line in lines if line.step <= step]
        self._started = time.monotonic() - (lines[-1].seconds if lines else 0.0)
        self._begin(lines)
        for line in lines:
            self._observer(line.step, line.measured)

    def log(self, step: int, epoch: float, values: Mapping[str, SupportsFloat]) -> None:
        """Write a step's metrics and tell the observer.

        Args:
            step: Optimiser steps taken so far; higher than in the call before.
            epoch: Passes over the train split so far; may be a fraction.
            values: Metrics by name; NaN and infinity may be among them.

        Raises:
            ValueError: A metric is named step, epoch or seconds.
        """
        if taken := sorted(set(OWN_KEYS) & set(values)):
            raise ValueError(f"a metric cannot be named {taken[0]!r}")
        if not self._begun:
            self._begin([])
        numbers = {name: float(value) for name, value in values.items()}
        line = MetricsLine(step, round(float(epoch), 6), self._seconds, numbers)
        self._guarded(METRICS, lambda: _append(self._folder / METRICS, line.text().encode()))
        if self._events is not None:
            self._to_events(lambda events: events.add(line))
        self._observer(step, line.measured)

    def close(self) -> None:
        """Flush and close the files; a second call does nothing."""
        if self._events is not None:
            self._to_events(lambda events: events.close())
        self._events = None

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the files."""
        self.close()

    @property
    def _seconds(self) -> float:
        """Of training so far."""
        return round(time.monotonic() - self._started, 3)

    def _begin(self, lines: Sequence[MetricsLine]) -> None:
        """Write both files with these lines, in the place of what is there."""
        self.close()
        self._begun = True
        text = "".join(line.text() for line in lines)
        self._guarded(METRICS, lambda: write_text(self._folder / METRICS, text))
        what = "the TensorBoard event file"
        self._events = self._guarded(what, lambda: EventFile(self._folder, lines, self._seconds))

    def _to_events(self, call: Callable[[EventFile], None]) -> None:
        """Use the event file; after a failure there is none, as its end may be damaged."""
        events = self._events
        assert events is not None  # callers have looked

        def done() -> bool:
            call(events)
            return True

        if not self._guarded("the TensorBoard event file", done):
            events.abandon()
            self._events = None

    def _guarded(self, what: str, call: Callable[[], T]) -> T | None:
        """What ``call`` gives; None, with one warning for each reason, where it fails."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001  # no failure here ends a training
            reason = _reason(error)
            if reason not in self._warned:
                self._warned.add(reason)
                where = paths.shown(self._folder)
                log.warning("%s: %s: %s; the training goes on without it", where, what, reason)
            return None


def _reason(error: Exception) -> str:
    """Why something cannot be written or read, equal for equal causes."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, OSError):
        return no_room(cause) or (paths.reason(cause) if cause.strerror else str(cause))
    if isinstance(error, UnpromptError):
        return error.problems[0]
    return f"{type(error).__name__}: {error}"


def _append(path: Path, content: bytes) -> None:
    """Append to a file, all or nothing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        length = os.fstat(handle).st_size
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(handle, rest) :]
        except OSError:  # a full disk takes a part of it
            os.ftruncate(handle, length)
            raise
    finally:
        os.close(handle)
