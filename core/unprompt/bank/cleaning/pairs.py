"""Pairs of rows that may be near-duplicates, and whether they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt.bank.search.codes import bits_of

if TYPE_CHECKING:
    import torch

    from unprompt.types import BoolArray, DoubleArray

Numbers = npt.NDArray[np.int64]

_CHUNK = 256
"""Rows whose cosines with a tile are computed at a time: 16 MB."""

_DENSE = 64
"""A cosine of a matrix product costs this many times less than one of two rows that are fetched."""


def unit_doubles(rows: npt.NDArray[np.float16]) -> DoubleArray:
    """16-bit rows as float64 rows of unit length; zero rows stay zero."""
    doubles = rows.astype(np.float64)
    lengths = np.sqrt(np.einsum("nd,nd->n", doubles, doubles))[:, None]
    np.divide(doubles, lengths, out=doubles, where=lengths > 0)
    return doubles


def flagged(products: torch.Tensor, value: float) -> tuple[Numbers, BoolArray]:
    """The rows of a matrix that reach a value anywhere, and where they do.

    Args:
        products: Of shape (n, m), bfloat16 or float32, finite.
        value: Above 0; it is rounded as the products were, so that none is missed.

    Returns:
        The numbers of the rows, of shape (f,), and yes or no, of shape (f, m).
    """
    import torch

    # Numbers above 0 are in the order of their bits, and integers are compared five times faster.
    bits = bits_of(products).numpy()
    least = bits_of(torch.tensor([value], dtype=products.dtype)).item()
    rows: Numbers = np.flatnonzero(bits.max(axis=1) >= least)
    return rows, bits[rows] >= least


def first_near(
    marks: BoolArray,
    rows: DoubleArray,
    take: Callable[[Numbers], DoubleArray],
    threshold: float,
) -> Numbers:
    """For each of some rows the first marked one of others that is near to it.

    Args:
        marks: Which pairs may be near, of shape (n, m).
        rows: Unit rows of shape (n, D).
        take: Numbers of others -> their unit rows.
        threshold: Rows with at least this cosine are near.

    Returns:
        Numbers of others, of shape (n,); -1: none is near.
    """
    first: Numbers = np.full(len(rows), -1, np.int64)
    (columns,) = np.nonzero(marks.any(axis=0))
    if not len(columns):
        return first
    others = take(columns)
    marks = marks[:, columns]
    dense = _DENSE * np.count_nonzero(marks) > marks.size
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        near = (
            rows[part] @ others.T >= threshold
            if dense
            else _near(marks[part], rows[part], others, threshold)
        )
        any_near = near.any(axis=1)
        first[part][any_near] = columns[near.argmax(axis=1)[any_near]]
    return first


def _near(marks: BoolArray, rows: DoubleArray, others: DoubleArray, threshold: float) -> BoolArray:
    """Which marked pairs are near, of shape (n, m)."""
    near = np.zeros(marks.shape, np.bool_)
    ours, theirs = np.nonzero(marks)
    for start in range(0, len(ours), 4096):
        i, j = ours[start : start + 4096], theirs[start : start + 4096]
        near[i, j] = np.einsum("pd,pd->p", rows[i], others[j]) >= threshold
    return near
