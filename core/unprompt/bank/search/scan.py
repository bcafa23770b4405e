"""One pass over a bank: threads take tiles, groups of queries take what could be near."""

from __future__ import annotations

from dataclasses import dataclass
from threading import local
from typing import TYPE_CHECKING

from unprompt._compute.workers import Workers, workers
from unprompt.bank.search.bounds import check_queries
from unprompt.bank.search.group import Group, padded
from unprompt.bank.search.neighbours import Neighbours
from unprompt.bank.search.sums import float32_sums

if TYPE_CHECKING:
    import torch

    from unprompt.bank.search.tiles import StoredRows
    from unprompt.types import FloatArray

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


def scan(queries: FloatArray, bank: StoredRows, count: int, plan: Plan) -> Neighbours:
    """Search a bank for all queries.

    Args:
        queries: float32 of shape (n, C), n at least 1.
        bank: The rows.
        count: K, at most the number of rows, at least 1.
        plan: How.

    Returns:
        The neighbours.

    Raises:
        DataError: As `check_queries` and `StoredRows.tile`.
    """
    import torch

    with float32_sums(plan.device), workers(plan.threads) as each:
        groups = _groups(torch.from_numpy(queries.copy()).to(plan.device), bank, count, plan)
        bank.expect(random=False)
        _pass_over(bank, groups, plan, each)
        bank.expect(random=True)
        for group in groups:
            _finish(group, each, plan.threads)
        return Neighbours(
            torch.cat([group.ranking.scores for group in groups]).cpu().numpy(),
            torch.cat([group.ranking.rows for group in groups]).cpu().numpy(),
        )


def _groups(queries: torch.Tensor, bank: StoredRows, count: int, plan: Plan) -> list[Group]:
    import torch

    check_queries(queries)
    parts = torch.tensor_split(queries, max(1, -(-len(queries) // GROUP_QUERIES)))
    return [Group(part, count, bank, plan.kind) for part in parts]


def _pass_over(bank: StoredRows, groups: list[Group], plan: Plan, each: Workers) -> None:
    import torch

    width = max(map(len, groups))
    mine = local()

    def take(span: tuple[int, int, int]) -> None:
        if not hasattr(mine, "rows"):
            empty = torch.empty
            mine.rows = empty(plan.tile_rows, bank.dims, dtype=plan.kind, device=plan.device)
            mine.scores = empty(padded(plan.tile_rows) * width, dtype=plan.kind, device=plan.device)
        tile = bank.tile(span, mine.rows)
        for group in groups:
            group.take(tile, mine.scores)

    each(take, bank.spans(plan.tile_rows, plan.threads))


def _finish(group: Group, each: Workers, threads: int) -> None:
    candidates = group.remaining()
    step = max(1, -(-len(group) // (4 * threads)))
    starts = range(0, len(group), step)
    each(lambda first: group.score(candidates, first, min(first + step, len(group))), starts)
