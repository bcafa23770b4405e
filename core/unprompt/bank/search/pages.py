"""The memory of mapped files: what was read of a file counts as this process's until it is let go.

Only hints to the kernel: results do not depend on them. They are given for read-only maps, of which
nothing can be lost: what was written to a private one, as of ``mode="c"``, is in no file.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt


def mapping_of(rows: npt.NDArray[Any]) -> mmap.mmap | None:
    """The map of a file that an array looks into; None: an array in memory, or one to write to."""
    if rows.flags.writeable or not rows.flags.c_contiguous:
        return None
    base: object = rows
    while isinstance(base, np.ndarray):
        base = base.base
    if not isinstance(base, mmap.mmap):
        return None
    with memoryview(base) as whole:  # an array says of itself alone whether it may be written to
        return base if whole.readonly else None


def expect(rows: npt.NDArray[Any], *, random: bool) -> None:
    """Say that rows will be read one here, one there, or one after the other."""
    mapping = mapping_of(rows)
    if mapping is not None:
        mapping.madvise(mmap.MADV_RANDOM if random else mmap.MADV_SEQUENTIAL)


def fetch(rows: npt.NDArray[Any]) -> None:
    """Have the disk read rows that will be needed soon."""
    _advise(rows, mmap.MADV_WILLNEED)


def let_go(rows: npt.NDArray[Any]) -> None:
    """Take the pages of these rows out of this process; the kernel's cache keeps them."""
    _advise(rows, mmap.MADV_DONTNEED)


def _advise(rows: npt.NDArray[Any], advice: int) -> None:
    mapping = mapping_of(rows)
    if mapping is None or not rows.size:
        return
    start = rows.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
    first = start // mmap.PAGESIZE * mmap.PAGESIZE
    mapping.madvise(advice, first, start + rows.nbytes - first)
