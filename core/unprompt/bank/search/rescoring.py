"""Scoring the shortlist of an approximate search as an exact one scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt._compute.workers import workers
from unprompt.bank.search.bounds import LONGEST, QueryBounds, RowBounds, check_queries
from unprompt.bank.search.gathering import Gatherer
from unprompt.bank.search.neighbours import BadRow, Neighbours
from unprompt.bank.search.ranking import Ranking
from unprompt.bank.search.scoring import scores_of
from unprompt.bank.search.tiles import StoredRows
from unprompt.errors import DataError
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch


def rescored(
    queries: FloatArray, bank: StoredRows, shortlists: npt.NDArray[np.int64], count: int
) -> Neighbours:
    """The K best rows of each query's shortlist.

    Args:
        queries: float32 of shape (n, C).
        bank: The rows.
        shortlists: Numbers of rows, of shape (n, S); -1 where a list is shorter.
        count: K.

    Raises:
        DataError: A list has fewer than K rows, or a query or row is not finite; names it.
    """
    import torch

    short = (shortlists >= 0).sum(axis=1) < count
    if short.any():
        raise DataError(
            f"query {int(short.argmax())}: the index gives fewer than {count} rows; search more "
            "of its lists, or ask for fewer"
        )
    exact = torch.from_numpy(queries.astype(np.float64))  # torch warns of what is read-only
    check_queries(exact)
    bounds = QueryBounds.of(exact, exact)

    def score(first: int) -> None:
        gather = Gatherer(bank, shortlists.shape[1], exact.device)
        for query in range(first, min(first + step, len(queries))):
            numbers = np.unique(shortlists[query][shortlists[query] >= 0])
            rows, one = gather(numbers), slice(query, query + 1)
            error = bounds.part(one).exact_error(_measured(rows, numbers))
            scores = scores_of(rows, exact[one], error)[:, 0]
            own = torch.from_numpy(numbers)
            ranking.add(torch.full_like(own, query), scores, own)

    threads = torch.get_num_threads()
    step = max(1, -(-len(queries) // (4 * threads)))
    with workers(threads) as each:
        ranking = Ranking(len(queries), count, exact.device)
        bank.expect(random=True)
        each(score, range(0, len(queries), step))
    return Neighbours(ranking.scores.numpy(), ranking.rows.numpy())


def _measured(rows: torch.Tensor, numbers: npt.NDArray[np.int64]) -> RowBounds:
    lengths = rows.norm(dim=1)
    wrong = ~(lengths <= LONGEST)
    if wrong.any():
        raise BadRow(int(numbers[int(wrong.nonzero()[0])]), "not finite or too long")
    return RowBounds(float(lengths.max()) * (1 + 2.0**-40))
