"""Frozen features of images, kept: a tower sees an image once, whatever is fitted on it later.

A file of SQLite in unprompt's cache for each tower and precision; a row of it is an image, by the
hash of its content. So a split, a fold or a data set that grew finds what it shares with an
earlier one, and a killed process loses the batch that it was at.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

import numpy as np

import unprompt
from unprompt._files import paths
from unprompt._files.hashing import content_hash
from unprompt._files.workplace import make_folder
from unprompt.contracts import Images, Runtime
from unprompt.errors import OutputError, first_line
from unprompt.towers import pixel_batches
from unprompt.types import FloatArray, PlainData

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

_LAYOUT = 1
"""Raise it when rows come to mean something else."""

_IN_MEMORY = 1 << 30
"""Bytes of features from which on they are in a temporary file, mapped into memory."""

_ASKED = 500
"""Rows of one query; SQLite takes 999 parameters and more."""

_WAIT = 60
"""Seconds for another process that writes."""

log = logging.getLogger(__name__)


class Frozen(Protocol):
    """What `features` needs of a tower, as `unprompt.towers.ImageTower` has it."""

    def preprocess(self, image: Image) -> torch.Tensor:
        """An image as the tower's pixels."""
        ...

    def features(self, pixels: torch.Tensor) -> FloatArray:
        """Pixels (n, 3, H, W) -> float32 of shape (n, F)."""
        ...


def features(
    tower: Callable[[], Frozen],
    identity: Mapping[str, PlainData],
    images: Images,
    runtime: Runtime,
    *,
    folder: Path | None = None,
    what: str = "features",
) -> FloatArray:
    """The tower's features of each image, from the cache where they are there.

    Args:
        tower: Gives the tower; called only if an image's features are not known.
        identity: What the tower is by content, preprocess included, such as
            `unprompt.towers.ImageTower.identity`.
        images: N images, at least one.
        runtime: Precision, which features depend on; batch size, threads and progress. In a dry
            run, whose towers are random, nothing is kept.
        folder: Where to keep them; None: in unprompt's cache.
        what: Names the work in the progress display.

    Returns:
        float32 of shape (N, F), in the order of ``images.ids``; do not write to it. More than 1 GiB
        is mapped from a temporary file.

    Raises:
        DataError: An image cannot be read, or a feature is not finite.
        OutputError: The cache cannot be written.
    """
    if runtime.dry_run:
        return np.concatenate([rows for _, rows in _computed(tower(), images, runtime, what)])
    key: PlainData = [_LAYOUT, unprompt.__version__, identity, runtime.precision]
    root = paths.cache_folder() / "features" if folder is None else folder
    digests = [images.digest(name) for name in images.ids]
    with closing(_Store(root / f"{content_hash(key)}.sqlite")) as store:
        known = store.known(digests)
        first = dict(zip(reversed(digests), reversed(images.ids), strict=True))
        missing = {name: digest for digest, name in first.items() if digest not in known}
        if missing:
            wanted = images.select([name for name in images.ids if name in missing])
            for ids, rows in _computed(tower(), wanted, runtime, what):
                store.add([missing[name] for name in ids], rows)
        return store.rows(digests)


def _computed(
    tower: Frozen, images: Images, runtime: Runtime, what: str
) -> Iterator[tuple[tuple[str, ...], FloatArray]]:
    """Ids and features, batch by batch."""
    with closing(pixel_batches(images, tower.preprocess, runtime, what=what)) as batches:
        for ids, pixels in batches:
            yield ids, tower.features(pixels)


class _Store:
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

    def rows(self, digests: Sequence[str]) -> FloatArray:
        """The rows of N images that are all known, (N, F)."""
        places: dict[str, list[int]] = {}
        for place, digest in enumerate(digests):
            places.setdefault(digest, []).append(place)
        result: FloatArray | None = None
        with self._refusals():
            for digest, blob, _ in self._select(list(places)):
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
        return np.empty((count, width), np.float32)
    with TemporaryFile(prefix="unprompt-features-") as file:
        return np.memmap(file, np.float32, "w+", shape=(count, width))
