"""TensorBoard event files.

`tensorboardX.SummaryWriter` writes in a thread of its own, behind a queue of ten events: once a
full disk has ended that thread, a training would wait for room in the queue for ever. Its writer of
event files is therefore used directly, so that errors come to whoever logs.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from unprompt._data.metrics import MetricsLine

_PATTERN = "events.out.tfevents.*"
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
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        older = list(folder.glob(_PATTERN))
        self._zero = time.time() - seconds
        self._flushed = time.monotonic()
        # Two that are made in one second would have one name.
        self._writer = EventsWriter(str(folder.absolute() / "events"), f".{uuid.uuid4().hex[:8]}")
        start = Event(step=0, session_log=SessionLog(status=SessionLog.START))
        start.wall_time = time.time()
        self._writer.write_event(start)
        for line in lines:
            self._write(line)
        self._writer.flush()
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
        self._writer.close()

    def _write(self, line: MetricsLine) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        measured = {"epoch": line.epoch, **line.values}
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in measured.items()]
        wall_time = self._zero + line.seconds
        self._writer.write_event(
            Event(wall_time=wall_time, step=line.step, summary=Summary(value=values))
        )
