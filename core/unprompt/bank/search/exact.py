"""Exact search: the K rows with the highest scores, without exception."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unprompt.bank.search.neighbours import Neighbours, Rows, check_count, fitting
from unprompt.bank.search.route import product_kind
from unprompt.bank.search.scan import Plan, scan, tile_rows_for
from unprompt.bank.search.small import is_small, score_all
from unprompt.bank.search.tiles import PreparedRows, StoredRows
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch


def search_exact(
    queries: FloatArray,
    shards: Sequence[Rows] | StoredRows,
    count: int,
    *,
    device: str = "cpu",
) -> Neighbours:
    """The K nearest rows of each query by inner product.

    A score is the exact inner product of the numbers as stored, rounded to float32; the result
    depends on nothing else: not on tiles, threads, the order of work or the machine.

    Args:
        queries: float32 of shape (n, C).
        shards: Rows of shapes (b, C), in memory or mapped; or a bank that was prepared, which is
            quicker from the second search on.
        count: K, at least 1; a smaller bank gives as many as it has.
        device: ``cpu`` or ``cuda``.

    Returns:
        The neighbours, highest score first, ties by row number. Memory beside the result and the
        rows in memory: tens of megabytes for each thread; mapped rows are let go after use.

    Raises:
        DataError: A query or row is not finite or longer than 2**20 (the line names its number),
            or the shapes or types do not fit.
        ValueError: ``count`` is below 1.
    """
    import torch

    check_count(count)
    bank = shards if isinstance(shards, StoredRows) else StoredRows(shards)
    queries = fitting(queries, bank.dims)
    count = min(count, len(bank))
    if not (len(queries) and count):
        return Neighbours(*_nothing(len(queries), count))
    where = torch.device(device)
    if is_small(bank):
        return score_all(torch.from_numpy(queries.copy()).to(where), bank, count)
    kind = bank.kind if isinstance(bank, PreparedRows) else product_kind(where)
    return scan(queries, bank, count, plan_for(bank.dims, where, kind))


def plan_for(dims: int, device: torch.device, kind: torch.dtype) -> Plan:
    """The plan of a search: one thread for each of torch's, one in all on a GPU."""
    import torch

    threads = torch.get_num_threads() if device.type == "cpu" else 1
    return Plan(kind, device, threads, tile_rows_for(dims))


def _nothing(queries: int, count: int) -> tuple[FloatArray, np.ndarray]:
    return np.empty((queries, count), np.float32), np.empty((queries, count), np.int64)
