"""Arrays of 16-bit unit rows in npy files: written with their checksum, mapped with their size."""

from __future__ import annotations

import hashlib
import math
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from unprompt._files import paths
from unprompt._files.checksums import Checksum
from unprompt._files.reading import open_file, reading
from unprompt._files.refusals import cannot_be_written
from unprompt.embeddings import NORM_TOLERANCE
from unprompt.errors import DataError

if TYPE_CHECKING:
    from unprompt.types import FloatArray

HalfArray = npt.NDArray[np.float16]

SPARE = 256
"""Open files that a process is left with beside the arrays of a bank."""


class _Hashing:
    """A file that is hashed while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest, self._size = file, hashlib.sha256(), 0

    def write(self, content: bytes | memoryview) -> int:
        """Write all of it."""
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)
        return len(content)

    def flush(self) -> None:
        """Nothing waits here."""

    @property
    def checksum(self) -> Checksum:
        """Of what was written."""
        return Checksum(bytes=self._size, sha256=self._digest.hexdigest())


@contextmanager
def written(path: Path, keep: Callable[[Checksum], None]) -> Iterator[Any]:
    """A file to write; what it should then hold is told to ``keep``.

    The content reaches the disk before the block is left, so that a mark that is written
    afterwards speaks of what is there, whatever the power does.

    Raises:
        OutputError: It cannot be written.
    """
    with cannot_be_written(path), path.open("wb") as file:
        hashing = _Hashing(cast("BinaryIO", file))
        yield hashing
        file.flush()
        with suppress(OSError):  # a file system that knows no such thing
            os.fsync(file.fileno())
    keep(hashing.checksum)


def write_rows(path: Path, rows: HalfArray) -> Checksum:
    """Write an array as npy.

    Raises:
        OutputError: It cannot be written.
    """
    from numpy.lib import format as npy

    sums: list[Checksum] = []
    with written(path, sums.append) as file:
        header = {"descr": "<f2", "fortran_order": False, "shape": rows.shape}
        npy.write_array_header_1_0(file, header)
        whole = np.ascontiguousarray(rows, "<f2")
        file.write(whole.reshape(-1).data.cast("B"))
    return sums[0]


def halved(rows: FloatArray, owner: str) -> HalfArray:
    """Unit rows in 16 bits.

    Args:
        rows: Of shape (n, D).
        owner: Who made them, for the error line.

    Raises:
        DataError: A row is not finite, or not of unit length; counts them.
    """
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    finite = np.isfinite(lengths)
    if not finite.all():
        count = int((~finite).sum())
        raise DataError(f"{owner}: gave {count:,} of {len(rows):,} rows that are not finite")
    wrong = np.abs(lengths - 1) > NORM_TOLERANCE
    if wrong.any():
        first = float(lengths[wrong][0])
        raise DataError(
            f"{owner}: gave {int(wrong.sum()):,} of {len(rows):,} rows that are not unit length "
            f"(the first has {first:.4g})"
        )
    return rows.astype(np.float16)


def map_rows(path: Path, shape: tuple[int, int]) -> np.memmap[Any, Any]:
    """An npy file's array, read-only and left on the disk.

    Raises:
        DataError: The file is missing, cut or longer, or holds something else than a 16-bit
            array of this shape.
    """
    shown = paths.shown(path)
    with open_file(path) as file, reading(path):
        declared, dtype = _header(file, shown)
        size, needed = os.fstat(file.fileno()).st_size, file.tell() + 2 * math.prod(shape)
        if declared != shape or dtype != np.dtype("<f2"):
            raise DataError(
                f"{shown}: holds {dtype} of shape {declared}; the manifest says float16 of {shape}"
            )
        if size != needed:
            what = "cut" if size < needed else "damaged"
            raise DataError(f"{shown}: {what}: {size:,} bytes, not {needed:,}")
        return np.memmap(file, np.float16, "r", offset=file.tell(), shape=shape)


def _header(file: BinaryIO, shown: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type that an npy file declares; leaves the file at its first value."""
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except Exception as error:  # Python's parser reads it: any error is the header's
        raise DataError(f"{shown}: cut or damaged: no header of an npy file") from error
    if fortran:
        raise DataError(f"{shown}: holds columns one after the other, not rows")
    return shape, dtype


def allow_open(files: int) -> None:
    """Let this process have so many files more open: a mapped array keeps its own.

    Nothing is changed where the limit is high enough, or cannot be raised that far.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files + SPARE
    if soft != resource.RLIM_INFINITY and wanted > soft:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
