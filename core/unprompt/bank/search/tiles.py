"""Rows of a bank, tile by tile as the product needs them, and by number as scoring needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from unprompt._compute.workers import workers
from unprompt.bank.search import pages
from unprompt.bank.search.bounds import WIDEST, RowBounds
from unprompt.bank.search.converting import converted
from unprompt.bank.search.gathering import GATHERED_ROWS, Gatherer
from unprompt.bank.search.neighbours import Rows
from unprompt.bank.search.route import product_kind
from unprompt.errors import DataError

if TYPE_CHECKING:
    import torch


LEAST_ROWS = 256
"""Rows of a tile that are not divided further among threads."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Some consecutive rows as the product takes them.

    Attributes:
        start: The number of the first.
        rows: Of shape (b, C), in the type of the product, on its device.
        bounds: For the error of the product.
    """

    start: int
    rows: torch.Tensor
    bounds: RowBounds


class StoredRows:
    """Rows in shards, as they are stored.

    Attributes:
        shards: The arrays, float16 or float32, of shapes (b, C).
        starts: The number of the first row of each shard, and the number of all rows.
        dims: C.
    """

    def __init__(self, shards: Sequence[Rows]) -> None:
        """Take shards.

        Raises:
            DataError: There are none, or one is no matrix, of another type or of another width,
                or too wide; names its number.
        """
        if not len(shards):
            raise DataError("a bank without shards cannot be searched")
        dims = shards[0].shape[-1] if shards[0].ndim else 0
        for number, shard in enumerate(shards):
            if shard.dtype not in (np.float16, np.float32):
                raise DataError(f"shard {number}: holds {shard.dtype}, not float16 or float32")
            if shard.ndim != 2 or shard.shape[1] != dims or not dims:
                raise DataError(f"shard {number}: has the shape {shard.shape}, not (rows, {dims})")
        if dims > WIDEST:
            raise DataError(f"shard 0: has rows of {dims:,} numbers; {WIDEST:,} can be searched")
        self.shards = tuple(_plain(shard) for shard in shards)
        self.starts = np.cumsum([0, *(len(shard) for shard in shards)])
        self.dims = dims

    def __len__(self) -> int:
        """The number of rows."""
        return int(self.starts[-1])

    def spans(self, tile_rows: int, threads: int = 1) -> list[tuple[int, int, int]]:
        """Tiles as (shard, first row in it, row after the last): none crosses two shards.

        Args:
            tile_rows: Rows of a tile, at most.
            threads: How many work on them: those of a shard come out even, so that none waits.
        """
        spans = []
        for number, shard in enumerate(self.shards):
            rounds = -(-len(shard) // (tile_rows * threads))
            size = min(tile_rows, max(LEAST_ROWS, -(-len(shard) // max(1, rounds * threads))))
            starts = range(0, len(shard), size)
            spans += [(number, first, min(first + size, len(shard))) for first in starts]
        return spans

    def tile(self, span: tuple[int, int, int], buffer: torch.Tensor) -> Tile:
        """Convert the rows of a span.

        Args:
            span: One of `spans`.
            buffer: Gets the rows; of shape (at least as many, C), bfloat16 or float32.

        Raises:
            DataError: A row is not finite, or longer than `bounds.LONGEST`; names it.
        """
        number, first, last = span
        stored, start = self.shards[number][first:last], int(self.starts[number]) + first
        pages.fetch(self.shards[number][last : last + (last - first)])
        rows = buffer[: last - first]
        bounds = converted(stored, rows, start)
        pages.let_go(stored)
        return Tile(start, rows, bounds)

    def gathered(self, numbers: npt.NDArray[np.int64], device: torch.device) -> torch.Tensor:
        """Rows by number, in float64, which holds what is stored exactly: of shape (m, C).

        Raises:
            IndexError: There is no row of such a number.
        """
        return Gatherer(self, len(numbers), device)(numbers)

    def expect(self, *, random: bool) -> None:
        """Tell the kernel how mapped shards are going to be read."""
        for shard in self.shards:
            pages.expect(shard, random=random)


class PreparedRows(StoredRows):
    """Rows with a bfloat16 copy in memory, measured once: for a bank that is searched often.

    The copy takes 2 bytes a number beside the shards, which stay what the scores are made from.
    """

    def __init__(
        self, shards: Sequence[Rows], *, device: str = "cpu", kind: torch.dtype | None = None
    ) -> None:
        """Convert and measure the rows.

        Args:
            shards: As `StoredRows`.
            device: Where the copy lives.
            kind: bfloat16 or float32; None: the one that this machine is quicker with.

        Raises:
            DataError: As `StoredRows` and its `tile`.
        """
        import torch

        super().__init__(shards)
        self.kind = product_kind(torch.device(device)) if kind is None else kind
        measured: list[RowBounds] = []  # in any order: only the largest norms count

        def convert(span: tuple[int, int, int]) -> None:
            number, first, last = span
            tile = StoredRows.tile(self, span, self._copies[number][first:last])
            measured.append(tile.bounds)

        with workers(torch.get_num_threads()) as each:
            self._copies = [
                torch.empty(shard.shape, dtype=self.kind, device=device) for shard in self.shards
            ]
            each(convert, self.spans(GATHERED_ROWS))
        self.bounds = RowBounds()
        for bounds in measured:
            self.bounds = self.bounds.joined(bounds)

    def tile(self, span: tuple[int, int, int], buffer: torch.Tensor) -> Tile:
        """The rows of a span; ``buffer`` is not needed."""
        number, first, last = span
        start = int(self.starts[number]) + first
        return Tile(start, self._copies[number][first:last], self.bounds)


def _plain(shard: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A shard whose rows lie behind each other: itself, or a copy.

    numpy calls one row contiguous whatever its stride is, such as a negative one, which torch
    does not take; flattening makes that stride the usual one.
    """
    return np.ascontiguousarray(shard).reshape(-1).reshape(-1, shard.shape[1])
