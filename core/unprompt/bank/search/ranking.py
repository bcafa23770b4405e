"""The best rows so far, in the order that a search promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unprompt.bank.search.codes import codes_of

if TYPE_CHECKING:
    import torch


def best_places(scores: torch.Tensor, count: int) -> torch.Tensor:
    """The places of each query's best rows, highest score first, ties by place.

    Args:
        scores: float32 of shape (m, n), of m rows for n queries.
        count: K.

    Returns:
        int64 of shape (n, min(K, m)).
    """
    import torch

    # One integer for a score and its place, so that the K best are the same however ties fall.
    places = torch.arange(len(scores), device=scores.device)[:, None]
    keys = ((codes_of(scores).long() << 32) - places).T.contiguous()
    return keys.topk(min(count, len(scores)), dim=1).indices


class Ranking:
    """The K best scored rows of each query; of equal scores the lower row number is better.

    Attributes:
        scores: float32 of shape (n, K), highest first; -inf where there is no row yet.
        rows: int64 of the same shape; -1 where there is none.
    """

    def __init__(self, queries: int, count: int, device: torch.device) -> None:
        """An empty ranking of n queries and K rows each."""
        import torch

        shape, kind = (queries, count), torch.float32  # whatever torch's default is
        self.scores = torch.full(shape, -torch.inf, dtype=kind, device=device)
        self.rows = torch.full(shape, -1, dtype=torch.int64, device=device)

    def add(self, queries: torch.Tensor, scores: torch.Tensor, rows: torch.Tensor) -> None:
        """Rank more rows; threads may add those of different queries at the same time.

        Args:
            queries: int64 of shape (m,), in their order; threads must not add rows of the queries
                between the first and the last.
            scores: float32 of shape (m,).
            rows: int64 of shape (m,), none of which was added to its query before.
        """
        import torch

        if not len(queries):
            return
        first, last = int(queries[0]), int(queries[-1]) + 1
        count, device = self.scores.shape[1], self.scores.device
        of_known = torch.arange(first, last, device=device).repeat_interleave(count)
        all_queries = torch.cat([of_known, queries])
        all_scores = torch.cat([self.scores[first:last].flatten(), scores])
        all_rows = torch.cat([self.rows[first:last].flatten(), rows])
        by_row = torch.argsort(all_rows)
        keys = (all_queries << 32) - codes_of(all_scores).long()
        order = by_row[torch.argsort(keys[by_row], stable=True)]
        found = torch.bincount(all_queries - first, minlength=last - first)
        places = (found.cumsum(0) - found)[:, None] + torch.arange(count, device=device)
        best = order[places]
        self.scores[first:last] = all_scores[best]
        self.rows[first:last] = all_rows[best]

    def last(self) -> torch.Tensor:
        """The lowest score of each query, which a row needs at least: -inf while rows lack."""
        return self.scores[:, -1].double()
