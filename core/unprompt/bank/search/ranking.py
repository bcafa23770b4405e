"""The best rows so far, in the order that a search promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Ranking:
    """The K best scored rows of each query; of equal scores the lower row number is better.

    Attributes:
        scores: float32 of shape (n, K), highest first; -inf where there is no row yet.
        rows: int64 of the same shape; -1 where there is none.
    """

    def __init__(self, queries: int, count: int, device: torch.device) -> None:
        """An empty ranking of n queries and K rows each."""
        import torch

        self.scores = torch.full((queries, count), -torch.inf, device=device)
        self.rows = torch.full((queries, count), -1, dtype=torch.int64, device=device)

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
