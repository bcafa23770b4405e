"""The file that features are kept in."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from zlib import crc32

import numpy as np

from unprompt._files import paths
from unprompt._files.workplace import make_folder
from unprompt.errors import DataError, OutputError, first_line
from unprompt.types import FloatArray

_IN_MEMORY = 1 << 30
"""Bytes of features from which on they are in a temporary file, mapped into memory."""

_ASKED = 500
"""Rows of one query; SQLite takes 999 parameters and more."""

_WAIT = 60
"""Seconds for another process that writes."""

log = logging.getLogger(__name__)


class FeatureStore:
    """Rows of float32 by the digest of their image, in one file; several processes may share it.

    Each row has a checksum: one that a damaged disk or a bug changed counts as missing. A file that
    is no database is removed.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, which is made where there is none.

        Raises:
            OutputError: It cannot be made, or is another process's for too long.
        """
        self._path = path
        with self._refusals():
            make_folder(path.parent)
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                self._make_again(error)

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._path, timeout=_WAIT)
        with self._connection:
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS features "
                "(digest TEXT PRIMARY KEY, row BLOB NOT NULL, checksum INTEGER NOT NULL)"
                " WITHOUT ROWID"
            )

    def _make_again(self, error: sqlite3.DatabaseError) -> None:
        """Begin anew, unless what went wrong is not the file's content."""
        if type(error) is not sqlite3.DatabaseError:
            raise error  # a subclass: no permission, no room, locked
        log.warning("cache: %s was damaged and is made again: %s", paths.shown(self._path), error)
        self._connection.close()
        self._path.unlink(missing_ok=True)
        self._open()

    def known(self, digests: Sequence[str]) -> set[str]:
        """Which images have a whole row; damaged ones are removed."""
        with self._refusals():
            try:
                states = {
                    name: crc32(row) == checksum for name, row, checksum in self._select(digests)
                }
            except sqlite3.DatabaseError as error:
                self._make_again(error)
                return set()
            damaged = [(name,) for name, whole in states.items() if not whole]
            if damaged:
                where, count = paths.shown(self._path), len(damaged)
                log.warning("cache: %s: %d damaged rows are made again", where, count)
                with self._connection:
                    self._connection.executemany("DELETE FROM features WHERE digest = ?", damaged)
        return {name for name, whole in states.items() if whole}

    def add(self, digests: Sequence[str], rows: FloatArray) -> None:
        """Keep a batch: all of it or, if the process is killed, nothing."""
        blobs = [row.astype("<f4").tobytes() for row in rows]
        lines = [(name, blob, crc32(blob)) for name, blob in zip(digests, blobs, strict=True)]
        with self._refusals(), self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", lines)

    def rows(self, digests: Sequence[str], without: Mapping[str, str]) -> FloatArray:
        """The rows of N images, (N, F), zero for those in ``without``; the others are known.

        Args:
            digests: Of the images.
            without: Digest -> why an image has no row.

        Raises:
            DataError: None is.
        """
        places: dict[str, list[int]] = {}
        for place, digest in enumerate(digests):
            if digest not in without:
                places.setdefault(digest, []).append(place)
        if not places:
            lines = [*without.values()]
            raise DataError([f"none of {len(digests)} images can be read", *lines[:5]])
        result: FloatArray | None = None
        with self._refusals():
            for digest, blob, _ in self._select([*places]):
                row = np.frombuffer(blob, "<f4")
                if result is None:
                    result = _room(len(digests), len(row))
                result[places.pop(digest)] = row
        assert result is not None and not places  # known() said so, or add() added them
        return result

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _select(self, digests: Sequence[str]) -> Iterator[tuple[str, bytes, int]]:
        for start in range(0, len(digests), _ASKED):
            part = digests[start : start + _ASKED]
            marks = ", ".join("?" * len(part))
            yield from self._connection.execute(
                f"SELECT digest, row, checksum FROM features WHERE digest IN ({marks})", part
            )

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Raise OutputError where the file cannot be opened or written."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OutputError(
                f"{paths.shown(self._path)}: features cannot be kept: {first_line(error)}"
            ) from error


def _room(count: int, width: int) -> Any:
    """An array to fill: in memory, or in a file that has no name and goes with its last user."""
    if count * width * 4 <= _IN_MEMORY:
        return np.zeros((count, width), np.float32)
    with TemporaryFile(prefix="unprompt-features-") as file:
        return np.memmap(file, np.float32, "w+", shape=(count, width))
