"""The lines of a journal: appended whole or not at all, and read up to the last whole one.

A process that is killed, a machine that loses power and a full disk leave a line that is cut. What
is written next would go on in it, and the file could never be read again; so whoever holds the
journal's lock drops such a line before writing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from unprompt._search.storages.journal_lock import JournalLock
from unprompt._search.storages.messages import interrupted, label
from unprompt.errors import ConfigError

LONGEST = 1 << 24
"""Bytes of a line; ours have a few hundred, Optuna's longest a few thousand."""
_BLOCK = 1 << 16


class JournalFile:
    """A file of lines of JSON, as Optuna's ``JournalFileBackend`` writes it."""

    def __init__(self, path: Path, url: str) -> None:
        """The file, which exists; error lines say ``url``, its path as the user wrote it."""
        self._path, self._url = path, url
        self._lock = JournalLock(path)
        self._line = self._offset = 0  # read so far

    @property
    def line(self) -> int:
        """The number of the line that was read last."""
        return self._line

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The records behind the first ``log_number_from``; a last line that is cut is none.

        Raises:
            ConfigError: A line is damaged; names it.
            OutputError: The file cannot be read any more.
        """
        if log_number_from < self._line:
            self._line = self._offset = 0
        try:
            with self._path.open("rb") as file:
                # Up to the last whole line nothing changes any more. Behind it a cut line may be
                # replaced while it is read, and the two halves may make a record of their own.
                size = file.seek(0, os.SEEK_END)
                whole = _whole(file, size)
                file.seek(self._offset)
                while self._offset < whole:
                    line = file.readline(LONGEST)
                    if not line.endswith(b"\n"):
                        break
                    record = self._record(line)
                    self._offset += len(line)
                    self._line += 1
                    if self._line > log_number_from:
                        yield record
        except OSError as error:
            raise interrupted(self._url, error) from error
        if self._offset < whole or size - whole >= LONGEST:
            raise self.damaged(f"a line of more than {LONGEST} bytes", self._line + 1)

    def append_logs(self, logs: Sequence[Mapping[str, Any]]) -> None:
        """Append records and wait until they are on disk.

        Raises:
            OutputError: They cannot be written; the file is as it was.
        """
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        try:
            with self._lock.held(), self._path.open("r+b", buffering=0) as file:
                _append(file, _drop_cut_line(file), text.encode())
        except OSError as error:
            raise interrupted(self._url, error) from error

    def drop_cut_line(self) -> int:
        """Drop a last line that is cut; gives how many bytes that were.

        Raises:
            OSError: The file cannot be written.
        """
        with self._path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if _whole(file, size) == size:
                return 0
        with self._lock.held(), self._path.open("r+b", buffering=0) as file:  # nobody writes now
            return file.seek(0, os.SEEK_END) - _drop_cut_line(file)

    def damaged(self, why: str, line: int | None = None) -> ConfigError:
        """The error for a line, by default the one that was read last."""
        number = self._line if line is None else line
        return ConfigError(
            f"{label(self._url)}:{number}: a damaged journal: {why}; put a copy in its place, or "
            "choose another storage (search.storage)"
        )

    def _record(self, line: bytes) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self.damaged("not JSON", self._line + 1) from error
        if not isinstance(record, dict) or not isinstance(record.get("op_code"), int):
            raise self.damaged("not a record of Optuna", self._line + 1)
        return record


def _append(file: BinaryIO, end: int, content: bytes) -> None:
    """Write at the end, and on to the disk; takes back what is not written whole."""
    file.seek(end)
    try:
        while content:
            content = content[file.write(content) :]
    except OSError:
        file.truncate(end)
        raise
    os.fsync(file.fileno())


def _drop_cut_line(file: BinaryIO) -> int:
    """End a file behind its last whole line; gives its new size."""
    size = file.seek(0, os.SEEK_END)
    whole = _whole(file, size)
    if whole < size:
        file.truncate(whole)
    return whole


def _whole(file: BinaryIO, size: int) -> int:
    """The size up to the last whole line; read backwards, mostly a single byte."""
    end, block = size, 1
    while end:
        start = max(0, end - block)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end, block = start, _BLOCK
    return 0
