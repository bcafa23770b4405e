"""Making a faiss index of a bank's rows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from unprompt._data.texts import given
from unprompt._files.checksums import Checksum
from unprompt._files.reading import why
from unprompt._files.refusals import cannot_be_written
from unprompt._files.writing import replacing
from unprompt.bank.search import pages
from unprompt.bank.search.neighbours import BadRow
from unprompt.bank.search.tiles import StoredRows
from unprompt.errors import DataError
from unprompt.types import FloatArray

TRAINING_ROWS = 1 << 17
ADDED_ROWS = 1 << 14
"""Rows that are in memory in float32 at once while an index is filled."""
_FATAL = re.compile(r"HNSW0*[01](?!\d)|[A-Za-z]*(?<!\d)0+(?!\d)")
"""Numbers of factories that faiss accepts, but then divides by or writes beyond its memory with."""


def new_index(dims: int, factory: str) -> Any:
    """An empty faiss index by inner product.

    Raises:
        DataError: The name holds a number that ends the process, sooner or later.
        RuntimeError: faiss refuses the name.
    """
    import faiss

    if (found := _FATAL.search(factory)) is not None:
        raise DataError(f"index {factory!r}: {found[0]!r} is too small a number for faiss")
    index = faiss.index_factory(dims, factory, faiss.METRIC_INNER_PRODUCT)
    lists = faiss.try_extract_index_ivf(index)
    if lists is not None:
        lists.cp.min_points_per_centroid = 1  # no warnings on stderr: the recall is measured
    return index


def check_factory(dims: int, factory: str) -> None:
    """Refuse a name that faiss does not know. Raises DataError, ConfigError where it is no text."""
    with refusals(f"index {given(factory, 'index')!r:.80}"):
        new_index(dims, factory)


class _Sink:
    """Where faiss writes to: a file that is hashed; keeps what faiss would make a line of its own.

    faiss's own writer to files says nothing of what fails when a file is closed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest, self.size = file, hashlib.sha256(), 0
        self.error: Exception | None = None

    def __call__(self, piece: bytes) -> None:
        try:
            self.file.write(piece)
        except OSError as error:
            self.error = error
            raise
        self.digest.update(piece)
        self.size += len(piece)


def saved_index(index: Any, path: Path) -> Checksum:
    """Write an index, by rename. Raises OutputError where the disk is full, say."""
    # Not in the stubs that come with faiss.
    from faiss import PyCallbackIOWriter, write_index  # type: ignore[attr-defined]

    with replacing(path) as part, cannot_be_written(path), part.open("wb") as file:
        sink = _Sink(file)
        try:
            write_index(index, PyCallbackIOWriter(sink, 1 << 20))
        except Exception:
            if sink.error is not None:
                raise sink.error from None
            raise
    return Checksum(bytes=sink.size, sha256=sink.digest.hexdigest())


def training_rows(bank: StoredRows) -> FloatArray:
    """`TRAINING_ROWS` rows from all over the bank; all of a smaller one."""
    import torch

    count = min(len(bank), TRAINING_ROWS)
    numbers = np.linspace(0, len(bank) - 1, count).astype(np.int64)
    out = np.empty((count, bank.dims), np.float32)
    for first in range(0, count, ADDED_ROWS):
        part = slice(first, first + ADDED_ROWS)
        out[part] = bank.gathered(numbers[part], torch.device("cpu")).numpy()
    return _finite(out, 0)


def parts_of(bank: StoredRows) -> Iterator[FloatArray]:
    """The rows of a bank in float32, some at a time. Raises DataError on one that is not finite."""
    for number, first, last in bank.spans(ADDED_ROWS):
        stored = bank.shards[number][first:last]
        yield _finite(stored.astype(np.float32), int(bank.starts[number]) + first)
        pages.let_go(stored)


def _finite(rows: npt.NDArray[np.float32], start: int) -> FloatArray:
    wrong = ~np.isfinite(rows).all(axis=1)
    if wrong.any():
        raise BadRow(start + int(wrong.argmax()), "not finite")
    return rows


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Turn what faiss raises on a mistake, with a place in its own source, into one line."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        line = why(error).rpartition("Error: ")[2].rpartition(".cpp:")[2] or why(error)
        raise DataError(f"{what}: faiss refuses it: {line.partition(': ')[2] or line}") from error
