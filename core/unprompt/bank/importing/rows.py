"""Rows of npy files that anybody may have written, checked part by part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from unprompt._data.text_rows import check_file
from unprompt._files import paths
from unprompt._files.tensors import map_array
from unprompt.bank.store import HalfArray
from unprompt.embeddings import NORM_TOLERANCE
from unprompt.errors import DataError

Rows = npt.NDArray[Any]


def open_rows(path: Path, dim: int, owner: str) -> Rows:
    """An npy file's rows, left on the disk.

    Args:
        path: The file.
        dim: How many numbers a row has to have.
        owner: Whose rows have so many, for the error line.

    Returns:
        float16 or float32 of shape (n, dim), n > 0.

    Raises:
        DataError: The file is missing, empty or cut, or holds anything else, such as float64 or
            Python objects; nothing in it is unpickled.
    """
    check_file(path)
    shown, rows = paths.shown(path), map_array(path)
    if rows.dtype.kind == "f" and rows.dtype.itemsize > 4:
        raise DataError(
            f"{shown}: holds {rows.dtype}, where banks have 16 bits: "
            "numpy.save(NEW, numpy.load(OLD).astype('float16')) converts it"
        )
    if rows.dtype.kind != "f":
        raise DataError(f"{shown}: holds {rows.dtype}, not rows of float16 or float32")
    if rows.ndim != 2 or not len(rows):
        what = "no rows" if rows.ndim == 2 else f"an array of shape {rows.shape}, not rows"
        raise DataError(f"{shown}: holds {what}")
    if rows.shape[1] != dim:
        raise DataError(f"{shown}: its rows have {rows.shape[1]:,} numbers; {owner} has {dim:,}")
    return rows


def halves_of(rows: Rows, path: Path, first: int, *, normalise: bool) -> HalfArray:
    """Some rows in 16 bits; those that are so already stay bit for bit, if they are unit rows.

    Args:
        rows: float16 or float32 of shape (n, d).
        path: Their file, for error lines.
        first: How many rows of the file are before them.
        normalise: Whether rows are divided by their lengths; else they have to be 1.

    Raises:
        DataError: A row is not finite, is zero, or has another length; names the first.
    """
    numbers = rows.astype(np.float64)
    with np.errstate(over="ignore"):
        lengths = np.sqrt(np.einsum("nd,nd->n", numbers, numbers))
    tests = {
        "holds numbers that are not finite": ~np.isfinite(lengths),
        "is zero, so it has no direction": lengths == 0,
    }
    if not normalise:
        tests["has length"] = np.abs(lengths - 1) > NORM_TOLERANCE
    for what, wrong in tests.items():
        (places,) = np.nonzero(wrong)
        if len(places):
            if what == "has length":
                what = (
                    f"has length {lengths[places[0]]:.4g}, not 1: --normalise divides each row by "
                    "its length"
                )
            raise DataError(f"{paths.shown(path)}: row {first + int(places[0]) + 1} {what}")
    if normalise:
        numbers /= lengths[:, None]
        return numbers.astype(np.float16)
    return rows.astype(np.float16)
