"""A group of queries on its way over a bank: which rows could still be among the K best."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from unprompt._compute.linear import product
from unprompt.bank.search.bounds import QueryBounds, RowBounds
from unprompt.bank.search.candidates import BLOCK, Candidates, block_maxima, joined, passing
from unprompt.bank.search.codes import bits_of, floor_code, in_order, least_before_rounding
from unprompt.bank.search.gathering import Gatherer
from unprompt.bank.search.ranking import Ranking, best_places
from unprompt.bank.search.scoring import scores_of, scores_of_pairs

if TYPE_CHECKING:
    import torch

    from unprompt.bank.search.tiles import StoredRows, Tile

DENSE = 16
"""Where one pair in so many could be among the best, every row of the tile is scored."""
GROWTH = 2.0
"""How many times the rows behind a threshold are seen before the next threshold is made."""
PENDING = 16
"""Candidates that are kept before they are scored, as a multiple of the size of the result."""
SCORED_ROWS = 1_024
"""Rows that are in memory in float64 at once."""


class Group:
    """Queries that are searched for together; several threads may call `take`.

    Attributes:
        ranking: What is scored so far.
    """

    def __init__(
        self, queries: torch.Tensor, count: int, bank: StoredRows, kind: torch.dtype
    ) -> None:
        """Round and measure queries.

        Args:
            queries: float32 of shape (g, C), on the device of the product.
            count: K, at most the number of rows.
            bank: The rows, for scoring.
            kind: The type of the product.
        """
        import torch

        self._rounded = queries.to(kind)
        self._exact = queries.double()
        self._bounds = QueryBounds.of(queries, self._rounded)
        self._bank, self._count = bank, count
        self._seen, self._next = 0, 0
        self._rows_bounds = RowBounds()
        self._pending: list[Candidates] = []
        self._lock = Lock()
        self.ranking = Ranking(len(queries), count, queries.device)
        self._least = self.ranking.last()
        zeros = self._bounds.length == 0
        self.ranking.scores[zeros] = 0.0  # every row scores 0, so the first K are the best
        self.ranking.rows[zeros] = torch.arange(count, device=queries.device)
        self._least[zeros] = torch.inf

    def __len__(self) -> int:
        """The number of queries, g."""
        return len(self._exact)

    def take(self, tile: Tile, buffer: torch.Tensor) -> None:
        """Look for candidates among the rows of a tile.

        Args:
            tile: The rows.
            buffer: Room for `padded` rows of g scores.
        """
        codes = self._product(tile, buffer)
        error = self._bounds.error(tile.bounds)
        if not self._started():
            codes = in_order(codes)
            self._start(codes[: len(tile.rows)], error)
            floor = self._floor(error)
        elif bool(((floor := self._floor(error)) <= 0).any()):
            codes = in_order(codes)  # the bits of positive scores are in order as they are
        candidates = passing(codes, floor, tile.start)
        whole = len(candidates) * DENSE > codes.numel()
        if whole:
            self._score_whole(tile)
        with self._lock:
            self._seen += len(tile.rows)
            self._rows_bounds = self._rows_bounds.joined(tile.bounds)
            if len(candidates) and not whole:
                self._pending.append(candidates)
            self._look_after_pending()

    def remaining(self) -> Candidates:
        """After the last tile: the candidates that are not scored, in the order of the queries."""
        self._tighten()
        return joined(self._pending).in_order_of_queries() if self._pending else _none(self._least)

    def score(self, candidates: Candidates, first: int, last: int) -> None:
        """Score the candidates of the queries ``first`` to ``last - 1`` into the ranking.

        Args:
            candidates: In the order of the queries; none was scored before.
            first: The first query. Threads may score different queries at the same time.
            last: The one after the last.
        """
        import torch

        limits = torch.tensor([first, last], device=candidates.queries.device)
        start, end = torch.searchsorted(candidates.queries, limits).tolist()
        wanted = candidates.chosen(slice(start, end))
        gather = Gatherer(self._bank, min(len(wanted), SCORED_ROWS), wanted.rows.device)
        error = self._bounds.exact_error(self._rows_bounds)
        scores = [
            scores_of_pairs(gather(rows.cpu().numpy()), self._exact, queries, error)
            for queries, rows in zip(
                torch.split(wanted.queries, SCORED_ROWS),
                torch.split(wanted.rows, SCORED_ROWS),
                strict=True,
            )
        ]
        self.ranking.add(wanted.queries, torch.cat(scores), wanted.rows)

    def _product(self, tile: Tile, buffer: torch.Tensor) -> torch.Tensor:
        """The bits of the scores, of shape (padded b, g)."""
        import torch

        scores = buffer[: padded(len(tile.rows)) * len(self)].view(-1, len(self))
        product(tile.rows, self._rounded, scores[: len(tile.rows)])
        scores[len(tile.rows) :] = -torch.inf
        return bits_of(scores)

    def _started(self) -> bool:
        return bool((self._least > -float("inf")).all())

    def _floor(self, error: torch.Tensor) -> torch.Tensor:
        return floor_code(self._least - error, self._rounded.dtype)

    def _start(self, codes: torch.Tensor, error: torch.Tensor) -> None:
        """Make a first threshold from the scores of one tile, if it has K rows."""
        if len(codes) // BLOCK >= self._count:
            # As many rows have at least these; few of the best share a block, and a tenth of the
            # time finds the K-th of so many fewer.
            codes = block_maxima(codes[: len(codes) // BLOCK * BLOCK])
        if len(codes) >= self._count:
            best = codes.T.contiguous().topk(self._count, dim=1).values[:, -1]
            with self._lock:
                self._raise(least_before_rounding(best) - error)

    def _raise(self, least: torch.Tensor) -> None:
        import torch

        self._least = torch.maximum(self._least, least)

    def _look_after_pending(self) -> None:
        """Now and then, drop candidates by a higher threshold; score them where too many stay."""
        limit = max(PENDING * self.ranking.rows.numel(), 1 << 16)
        if self._seen < self._next and sum(map(len, self._pending)) <= limit:
            return
        self._next = int(self._seen * GROWTH)
        self._tighten()
        if sum(map(len, self._pending)) > limit // 2:
            self.score(self.remaining(), 0, len(self))
            self._pending = []
            self._raise(self.ranking.last())

    def _tighten(self) -> None:
        """Raise the threshold by what is known, and drop the candidates below it."""
        import torch

        self._raise(self.ranking.last())
        if any(map(len, self._pending)):
            pending = joined(self._pending)
            error = self._bounds.error(self._rows_bounds)
            best, enough = pending.best(len(self), self._count)
            known = least_before_rounding(best) - error
            self._raise(torch.where(enough, known, -torch.inf))
            self._pending = [pending.chosen(pending.codes >= self._floor(error)[pending.queries])]

    def _score_whole(self, tile: Tile) -> None:
        """Score every row of a tile, by products of matrices, and rank the K best."""
        import torch

        error, parts = self._bounds.exact_error(tile.bounds), []
        device = self._least.device
        numbers = torch.arange(tile.start, tile.start + len(tile.rows), device=device)
        for part in torch.split(numbers, SCORED_ROWS):
            rows = self._bank.gathered(part.cpu().numpy(), device)
            parts.append(scores_of(rows, self._exact, error))
        scores = torch.cat(parts)
        best = best_places(scores, self._count)
        (queries,) = (self._bounds.length > 0).nonzero(as_tuple=True)
        chosen, each = best[queries], queries[:, None].expand(-1, best.shape[1])
        with self._lock:
            self.ranking.add(
                each.flatten(), scores[chosen, each].flatten(), numbers[chosen].flatten()
            )
            self._raise(self.ranking.last())


def padded(rows: int) -> int:
    """The next multiple of `BLOCK`."""
    return -(-rows // BLOCK) * BLOCK


def _none(like: torch.Tensor) -> Candidates:
    import torch

    nothing = torch.empty(0, dtype=torch.int64, device=like.device)
    return Candidates(nothing, nothing, nothing.to(torch.int32))
