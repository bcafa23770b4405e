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

    def add(self, query: int, scores: torch.Tensor, rows: torch.Tensor) -> None:
        """Rank more rows of a query.

        Args:
            query: Its number.
            scores: float32 of shape (m,).
            rows: int64 of shape (m,), none of which was added before.
        """
        import torch

        count = self.scores.shape[1]
        all_scores = torch.cat([self.scores[query], scores])
        all_rows = torch.cat([self.rows[query], rows])
        by_row = torch.argsort(all_rows)
        best = torch.argsort(all_scores[by_row], descending=True, stable=True)[:count]
        self.scores[query] = all_scores[by_row][best]
        self.rows[query] = all_rows[by_row][best]

    def last(self) -> torch.Tensor:
        """The lowest score of each query, which a row needs at least: -inf while rows lack."""
        return self.scores[:, -1].double()
