"""Unit rows, cosines, and embeddings keyed by id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unprompt.errors import DataError, named
from unprompt.types import BoolArray, DoubleArray, FloatArray

NORM_TOLERANCE = 1e-3
"""How far a row's length may be from 1 before it counts as not normalised (bf16 towers: 4e-4)."""


def unit(rows: npt.ArrayLike) -> FloatArray:
    """Scale each row to length 1; a zero row stays zero, a row that is not finite stays so.

    Args:
        rows: Of shape (N, D), any float type.

    Returns:
        float32 of shape (N, D). Lengths are computed in float64, so that no float32 row
        overflows or becomes zero.
    """
    doubles = np.asarray(rows, dtype=np.float64)  # (N, D)
    length = np.linalg.norm(doubles, axis=1, keepdims=True)  # (N, 1)
    with np.errstate(invalid="ignore"):  # NaN stays NaN: a zero row would pass for a prediction
        scaled = np.divide(doubles, length, out=np.zeros_like(doubles), where=length != 0)
    result: FloatArray = scaled.astype(np.float32)
    return result


def cosine(a: npt.ArrayLike, b: npt.ArrayLike) -> DoubleArray:
    """Cosine of each row of ``a`` with the same row of ``b``; 0 where either row is zero.

    Args:
        a: Of shape (N, D).
        b: Of shape (N, D), rows in the same order.

    Returns:
        float64 of shape (N,), in -1..1.
    """
    a_rows, b_rows = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a_rows.shape != b_rows.shape:
        raise DataError(f"cosine needs equal shapes, got {a_rows.shape} and {b_rows.shape}")
    dot = np.einsum("nd,nd->n", a_rows, b_rows)
    length = np.linalg.norm(a_rows, axis=1) * np.linalg.norm(b_rows, axis=1)
    result: DoubleArray = np.divide(dot, length, out=np.zeros_like(dot), where=length > 0)
    return np.clip(result, -1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Rows of one vector space, each with an id.

    Attributes:
        ids: N distinct ids.
        rows: float32 of shape (N, D): unit rows, or zero rows where there is no prediction.

    Raises:
        DataError: Ids repeat, shapes disagree, a value is not finite, or a row is neither
            unit nor zero.
    """

    ids: tuple[str, ...]
    rows: FloatArray

    def __post_init__(self) -> None:
        """Check ids and rows."""
        if self.rows.ndim != 2 or len(self.ids) != len(self.rows):
            raise DataError(f"{len(self.ids)} ids do not fit rows of shape {self.rows.shape}")
        if self.rows.dtype != np.float32:
            got = self.rows.dtype
            raise DataError(f"embeddings are float32, got {got}; unit() gives such rows")
        check_distinct(self.ids)
        check_finite(self.ids, self.rows)
        # In float64 no float32 row overflows or becomes zero; einsum makes no copy of the rows.
        length = np.sqrt(np.einsum("nd,nd->n", self.rows, self.rows, dtype=np.float64))
        wrong = np.flatnonzero((np.abs(length - 1) > NORM_TOLERANCE) & (length > 0))
        if len(wrong):
            raise DataError(f"rows are not unit length: {named([self.ids[i] for i in wrong])}")

    def __len__(self) -> int:
        """N."""
        return len(self.ids)

    @property
    def dim(self) -> int:
        """D, the number of columns."""
        return int(self.rows.shape[1])

    @property
    def answered(self) -> BoolArray:
        """For each of N images whether there is a prediction; of shape (N,). A zero row is none."""
        return np.asarray(self.rows.any(axis=1), np.bool_)

    def select(self, ids: Sequence[str]) -> Embeddings:
        """The rows of ``ids``, in that order.

        Raises:
            DataError: An id has no row.
        """
        position = {name: i for i, name in enumerate(self.ids)}
        missing = [name for name in ids if name not in position]
        if missing:
            raise DataError(f"no embedding for {named(missing)}")
        return Embeddings(tuple(ids), self.rows[[position[name] for name in ids]])

    def align(self, ids: Sequence[str]) -> Embeddings:
        """Reorder to ``ids``, which must be the same set: tables are joined by id, not by position.

        Raises:
            DataError: An id has no row, or a row's id is not in ``ids``.
        """
        extra = sorted(set(self.ids) - set(ids))
        if extra:
            raise DataError(f"unexpected embeddings for {named(extra)}")
        return self.select(ids)


def check_distinct(ids: Iterable[str]) -> None:
    """Raise DataError naming the ids that occur more than once."""
    repeated = sorted(name for name, times in Counter(ids).items() if times > 1)
    if repeated:
        raise DataError(f"repeated ids: {named(repeated)}")


def check_finite(ids: Sequence[str], rows: FloatArray) -> None:
    """Raise DataError naming the ids whose row holds a NaN or an infinity."""
    bad = [ids[int(i)] for i in np.flatnonzero(~np.isfinite(rows).all(axis=1))]
    if bad:
        raise DataError(f"values that are not finite: {named(bad)}")
