"""Search of a bank that is so small that all of it is scored, without a shortlist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unprompt.bank.search.bounds import QueryBounds, RowBounds, check_queries
from unprompt.bank.search.neighbours import Neighbours
from unprompt.bank.search.ranking import best_places
from unprompt.bank.search.scoring import scores_of

if TYPE_CHECKING:
    import torch

    from unprompt.bank.search.tiles import StoredRows

NUMBERS = 1 << 21
"""Numbers in a small bank: 8,192 rows of 256. 128 queries and 300 neighbours among 4,680 rows took
58 ms by way of a shortlist and 15 ms without."""
ROWS = 1 << 14
"""Rows of a small bank, however short they are."""
PAIRS = 1 << 20
"""Scores that are in memory at once."""


def is_small(bank: StoredRows) -> bool:
    """Whether `score_all` is the way."""
    return len(bank) <= ROWS and len(bank) * bank.dims <= NUMBERS


def score_all(queries: torch.Tensor, bank: StoredRows, count: int) -> Neighbours:
    """As `scan.scan`, on the queries' device."""
    import torch

    check_queries(queries)
    rows = bank.gathered(np.arange(len(bank)), queries.device)
    bounds = _bounds(bank, queries.device)
    scores, places = [], []
    for wanted in torch.split(queries, max(1, PAIRS // len(bank))):
        error = QueryBounds.of(wanted, wanted).exact_error(bounds)
        products = scores_of(rows, wanted.double(), error)
        places.append(best_places(products, count))
        scores.append(products.T.gather(1, places[-1]))
    return Neighbours(torch.cat(scores).cpu().numpy(), torch.cat(places).cpu().numpy())


def _bounds(bank: StoredRows, device: torch.device) -> RowBounds:
    """Of all rows, each of which is checked."""
    import torch

    longest = max(map(len, bank.shards))
    room = torch.empty(longest, bank.dims, dtype=torch.float32, device=device)
    bounds = RowBounds()
    for span in bank.spans(len(room)):
        bounds = bounds.joined(bank.tile(span, room).bounds)
    return bounds
