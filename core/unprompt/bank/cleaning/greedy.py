"""Near-duplicates: which rows are kept, and which of those stands for each of the others.

The rows are walked in a given order. One whose cosine with a row that was kept before is at least
the threshold is dropped, and the first such row in the order stands for it; any other is kept. So
two kept rows are never that near, and each dropped row is that near to the kept one that stands for
it. Only kept rows are compared with later ones: at most half of all pairs are ever looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt._data.bfloat16 import computes_in_bfloat16
from unprompt._files.refusals import cannot_be_written
from unprompt.bank.cleaning.bounds import Bounded, Bounds, fit_bounds, least
from unprompt.bank.cleaning.pairs import Numbers, first_near, flagged, unit_doubles

if TYPE_CHECKING:
    import torch

    from unprompt.types import DoubleArray

TakeRows = Callable[[Numbers], npt.NDArray[np.float16]]
"""Row numbers -> 16-bit rows of shape (n, D)."""

BLOCK, TILE = 2048, 8192
"""Rows that are compared with kept ones at a time, and how many of those: 32 MB of products."""

ROUNDING = 1e-9
"""How far below the threshold a cosine counts as reaching it: that of two equal rows is 1 but for
rounding in float64."""

_SAMPLE = 2048


def stand_ins(
    take: TakeRows,
    order: Numbers,
    threshold: float,
    work: Path,
    tick: Callable[[int], None],
    owner: Path | None = None,
) -> Numbers:
    """For each row the one that stands for it: itself where it is kept.

    Cosines are those of the 16-bit rows, in float64. Memory grows with the rows by a few integers
    each, and not with the number of pairs.

    Args:
        take: Gives rows.
        order: The N row numbers, in the order of the walk.
        threshold: Cosine at which two rows are near-duplicates, from 0.1 to 1.
        work: An existing folder for a temporary file of at most 4 D bytes a row.
        tick: Is told how many more rows have been walked.
        owner: What cannot be written where the disk is full; None: ``work``.

    Returns:
        Row numbers of shape (N,).

    Raises:
        OutputError: The disk is full.
    """
    owners: Numbers = np.full(len(order), -1, np.int64)
    sample = order[:: max(1, len(order) // _SAMPLE)][:_SAMPLE]
    half = computes_in_bfloat16("cpu")
    bounds = fit_bounds(unit_doubles(take(sample)), threshold, half=half)
    shown = work if owner is None else owner
    kept = _Kept(take, bounds, threshold - ROUNDING, work / "kept", len(order), shown)
    for start in range(0, len(order), BLOCK):
        block = order[start : start + BLOCK]
        rows = unit_doubles(take(block))
        bounding = bounds.of(rows)
        nearest = kept.first_near(rows, bounding)
        (free,) = np.nonzero(nearest < 0)
        nearest[free] = kept.add(
            block[free], rows[free], Bounded(bounding.rows[free], bounding.lost)
        )
        owners[block] = nearest
        tick(len(block))
    return owners


class _Kept:
    """The rows that were kept, in the order of the walk; their bounding rows are in a file."""

    def __init__(
        self,
        take: TakeRows,
        bounds: Bounds,
        threshold: float,
        path: Path,
        most: int,
        owner: Path,
    ) -> None:
        self._owner = owner
        self._take, self._bounds, self._threshold, self._path = take, bounds, threshold, path
        self._numbers: Numbers = np.empty(most, np.int64)
        self._count = 0
        self._lost = 0.0

    def first_near(self, rows: DoubleArray, bounding: Bounded) -> Numbers:
        """For each unit row the number of the first kept one that is near; -1: there is none."""
        result: Numbers = np.full(len(rows), -1, np.int64)
        waiting = np.arange(len(rows))
        value = least(self._threshold, bounding.lost, self._lost)
        for start in range(0, self._count, TILE):
            if not len(waiting):
                break
            numbers = self._numbers[start : min(start + TILE, self._count)]
            tile = self._stored(start, len(numbers), bounding.rows)
            near_rows, marks = flagged(bounding.rows[waiting] @ tile.T, value)
            if len(near_rows):
                some = waiting[near_rows]
                first = first_near(marks, rows[some], self._doubles(numbers), self._threshold)
                result[some[first >= 0]] = numbers[first[first >= 0]]
                waiting = waiting[result[waiting] < 0]
        return result

    def add(self, numbers: Numbers, rows: DoubleArray, bounding: Bounded) -> Numbers:
        """Walk n rows to which no kept one is near; gives who stands for each."""
        owner = np.arange(len(numbers))
        products = (bounding.rows @ bounding.rows.T).fill_diagonal_(0)
        value = least(self._threshold, bounding.lost, bounding.lost)
        for i, marks in zip(*flagged(products, value), strict=True) if len(numbers) else ():
            if owner[i] == i:
                (later,) = np.nonzero(marks & (owner == np.arange(len(owner))))
                later = later[later > i]
                owner[later[rows[later] @ rows[i] >= self._threshold]] = i
        (kept,) = np.nonzero(owner == np.arange(len(owner)))
        self._append(numbers[kept], bounding.rows[kept])
        self._lost = max(self._lost, bounding.lost)
        result: Numbers = numbers[owner]
        return result

    def _doubles(self, numbers: Numbers) -> Callable[[Numbers], DoubleArray]:
        return lambda columns: unit_doubles(self._take(numbers[columns]))

    def _append(self, numbers: Numbers, rows: torch.Tensor) -> None:
        import torch

        self._numbers[self._count : self._count + len(numbers)] = numbers
        self._count += len(numbers)
        with cannot_be_written(self._owner), self._path.open("ab") as file:
            file.write(rows.contiguous().view(torch.uint8).numpy().data)

    def _stored(self, start: int, count: int, like: torch.Tensor) -> torch.Tensor:
        """Some bounding rows of those kept, from the file."""
        import torch

        shape = (count, like.shape[1] * like.element_size())
        # "c": PyTorch takes no array that must not be written; nothing writes it.
        stored = np.memmap(self._path, np.uint8, "c", start * shape[1], shape)
        return torch.from_numpy(stored).view(like.dtype)
