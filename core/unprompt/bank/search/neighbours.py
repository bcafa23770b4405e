"""What a search takes and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from unprompt.errors import DataError
from unprompt.types import FloatArray

Rows: TypeAlias = "npt.NDArray[np.float32] | npt.NDArray[np.float16]"
"""Rows of a bank, of shape (b, C): an array in memory, or a ``np.memmap`` of a file."""


class BadRow(DataError):
    """A row cannot be searched.

    Attributes:
        row: Its number in the bank.
        problem: What is wrong with it.
    """

    def __init__(self, row: int, problem: str) -> None:
        """Say both."""
        super().__init__(f"row {row} of the bank is {problem}: it cannot be searched")
        self.row, self.problem = row, problem


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The K nearest rows of each of n queries.

    Attributes:
        cosines: float32 of shape (n, K), highest first: inner products, which are cosines where
            queries and rows have length 1.
        rows: int64 of shape (n, K): numbers of rows, counted over all shards in their order.
            Rows of equal cosine are in the order of their numbers.
    """

    cosines: FloatArray
    rows: npt.NDArray[np.int64]


def check_count(count: int) -> None:
    """Refuse to search for no neighbours, or fewer. Raises ValueError."""
    if count < 1:
        raise ValueError(f"{count} neighbours cannot be searched for")


def fitting(queries: npt.ArrayLike, dims: int) -> FloatArray:
    """Queries as an array, which rows of ``dims`` numbers can be searched for.

    Raises:
        DataError: They are no matrix, of another width, or not float32.
    """
    array = np.asarray(queries)
    if array.ndim != 2 or array.shape[1] != dims:
        raise DataError(f"queries of shape {array.shape} do not fit rows of {dims} numbers")
    if array.dtype != np.float32:
        raise DataError(f"queries hold {array.dtype}, not float32")
    return array
