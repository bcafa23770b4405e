"""TensorBoard event files.

`tensorboardX.SummaryWriter` writes in a thread of its own, behind a queue of ten events: once a
full disk has ended that thread, a training would wait for room in the queue for ever. Its writer of
records is therefore used directly, so that errors come to whoever logs.
"""

from __future__ import annotations

import platform
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from unprompt._data.metrics import MetricsLine

_PREFIX = "events.out.tfevents."
_VERSION = "brain.Event:2"
"""What the first event of a file says of its format."""
_FLUSH_SECONDS = 10.0
"""Flushing waits for the disk."""


class EventFile:
    """The event file of one training; there is one in its folder."""

    def __init__(self, folder: Path, lines: Iterable[MetricsLine], seconds: float) -> None:
        """Begin a file in the place of those that an earlier process wrote.

        TensorBoard is told to forget what it has read of those.

        Args:
            folder: Of the training.
            lines: What was measured before.
            seconds: Of training so far; now.

        Raises:
            Exception: Whatever the library or the operating system raises.
        """
        from tensorboardX.record_writer import RecordWriter

        older = list(folder.glob(f"{_PREFIX}*"))
        now = time.time()
        self._zero, self._flushed = now - seconds, time.monotonic()
        # Two that are made in one second need two names.
        name = f"{_PREFIX}{now:010.0f}.{platform.node()}.{uuid.uuid4().hex[:8]}"
        self._writer = RecordWriter(str(folder.absolute() / name))
        try:
            self._begin(now, lines)
        except BaseException:
            self.abandon()
            raise
        for path in older:
            with suppress(OSError):
                path.unlink()

    def add(self, line: MetricsLine) -> None:
        """Append a line; every ten seconds the file is flushed. Raises as the constructor."""
        self._write(line)
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._writer.flush()
            self._flushed = time.monotonic()

    def close(self) -> None:
        """Flush and close the file. Raises as the constructor."""
        self._writer.flush()
        self._writer.close()

    def abandon(self) -> None:
        """Close the file, whatever is wrong with it."""
        with suppress(Exception):
            self._writer.close()

    def _begin(self, now: float, lines: Iterable[MetricsLine]) -> None:
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        for start in (
            Event(wall_time=now, file_version=_VERSION),
            Event(wall_time=now, step=0, session_log=SessionLog(status=SessionLog.START)),
        ):
            self._writer.write(start.SerializeToString())
        for line in lines:
            self._write(line)
        self._writer.flush()

    def _write(self, line: MetricsLine) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        measured = {"epoch": line.epoch, **line.values}
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in measured.items()]
        wall_time = self._zero + line.seconds
        event = Event(wall_time=wall_time, step=line.step, summary=Summary(value=values))
        self._writer.write(event.SerializeToString())
