"""One pass over a bank: threads take tiles, groups of queries take what could be near."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import local
from typing import TYPE_CHECKING, TypeVar

from unprompt.bank.search.group import Group, padded

if TYPE_CHECKING:
    import torch

    from unprompt.bank.search.tiles import StoredRows

T = TypeVar("T")
TILE_NUMBERS = 1 << 23
"""Numbers of a tile: 8,192 rows of 1,024. As 16-bit they are half of a large level-3 cache."""
GROUP_QUERIES = 512
"""Queries whose scores of one tile are in memory at once, in each thread."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a search is carried out; no result depends on it.

    Attributes:
        kind: The type of the product, bfloat16 or float32.
        device: Where it runs.
        threads: Tiles that are worked on at once.
        tile_rows: Rows of a tile, at most.
    """

    kind: torch.dtype
    device: torch.device
    threads: int
    tile_rows: int


def tile_rows_for(dims: int) -> int:
    """Rows of a tile of C numbers each."""
    return max(256, min(TILE_NUMBERS // dims, 1 << 16))


def scan(queries: torch.Tensor, bank: StoredRows, count: int, plan: Plan) -> list[Group]:
    """Search a bank for all queries.

    Args:
        queries: float32 of shape (n, C), on the plan's device.
        bank: The rows.
        count: K, at most the number of rows, at least 1.
        plan: How.

    Returns:
        The groups of queries in their order, each with its ranking.

    Raises:
        DataError: As `Group` and `StoredRows.tile`.
    """
    import torch

    parts = torch.tensor_split(queries, max(1, -(-len(queries) // GROUP_QUERIES)))
    groups = [Group(part, count, bank, plan.kind) for part in parts]
    width = max(map(len, groups))
    mine = local()

    def take(span: tuple[int, int, int]) -> None:
        if not hasattr(mine, "rows"):
            empty = torch.empty
            mine.rows = empty(plan.tile_rows, bank.dims, dtype=plan.kind, device=plan.device)
            mine.scores = empty(
                padded(plan.tile_rows) * width, dtype=plan.kind, device=plan.device
            )
        tile = bank.tile(span, mine.rows)
        for group in groups:
            group.take(tile, mine.scores)

    with _workers(plan.threads) as each:
        bank.expect(random=False)
        each(take, bank.spans(plan.tile_rows))
        bank.expect(random=True)
        for group in groups:
            _finish(group, each, plan.threads)
    return groups


def _finish(group: Group, each: Callable[..., None], threads: int) -> None:
    candidates = group.remaining()
    step = max(1, -(-len(group) // (4 * threads)))
    starts = range(0, len(group), step)
    each(lambda first: group.score(candidates, first, min(first + step, len(group))), starts)


@contextmanager
def _workers(threads: int) -> Iterator[Callable[[Callable[[T], None], Iterable[T]], None]]:
    """Threads that each compute on one core: none waits for another between two steps of a tile.

    Yields:
        A function that calls a function for each of some things, and raises what it raises.
    """
    import torch

    def each(call: Callable[[T], None], things: Iterable[T]) -> None:
        jobs = [pool.submit(call, thing) for thing in things]
        try:
            for job in jobs:
                job.result()
        finally:
            for job in jobs:
                job.cancel()

    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(
        threads, "bank search", initializer=torch.set_num_threads, initargs=(1,)
    )
    try:
        with pool:
            yield each
    finally:
        torch.set_num_threads(before)
