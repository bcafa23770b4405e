"""Pairs of a query and a row that could still be among the query's K best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BLOCK = 16
"""Rows whose highest score is looked at first: nearly all blocks are done with then."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pairs, as three tensors of shape (p,).

    Attributes:
        queries: int64 numbers of queries within their group.
        rows: int64 numbers of rows within the bank.
        codes: `codes` of their scores in the product.
    """

    queries: torch.Tensor
    rows: torch.Tensor
    codes: torch.Tensor

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.queries)

    def chosen(self, which: torch.Tensor | slice) -> Candidates:
        """Those that a mask, an index or a slice chooses."""
        return Candidates(self.queries[which], self.rows[which], self.codes[which])

    def in_order_of_queries(self) -> Candidates:
        """The same pairs, those of one query behind each other."""
        import torch

        return self.chosen(torch.argsort(self.queries, stable=True))

    def best(self, queries: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The K-th highest code of each query.

        Args:
            queries: The number of queries, g.
            count: K.

        Returns:
            The codes, of shape (g,), and which queries have K candidates; others have any code.
        """
        import torch

        info = torch.iinfo(self.codes.dtype)
        keys = (self.queries << info.bits) + (self.codes.long() - info.min)
        found = torch.bincount(self.queries, minlength=queries)
        at = (torch.cumsum(found, 0) - count).clamp(min=0)
        kth = keys.sort().values[at] & ((1 << info.bits) - 1)
        return (kth + info.min).to(self.codes.dtype), found >= count


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Pairs of several tiles together; there is one at least."""
    import torch

    return Candidates(
        torch.cat([part.queries for part in parts]),
        torch.cat([part.rows for part in parts]),
        torch.cat([part.codes for part in parts]),
    )


def block_maxima(codes: torch.Tensor) -> torch.Tensor:
    """The highest code of each block: of shape (b / `BLOCK`, g) for codes of shape (b, g)."""
    return codes.view(-1, BLOCK, codes.shape[1]).amax(1)


def passing(codes: torch.Tensor, floor: torch.Tensor, start: int) -> Candidates:
    """Pairs whose code is at least the query's floor.

    Args:
        codes: Of shape (b, g); b is a multiple of `BLOCK`.
        floor: Of shape (g,).
        start: The number of the first row.
    """
    blocks = codes.view(-1, BLOCK, codes.shape[1])
    block, query = (block_maxima(codes) >= floor).nonzero(as_tuple=True)
    inside = blocks[block, :, query]
    hit, row = (inside >= floor[query][:, None]).nonzero(as_tuple=True)
    return Candidates(query[hit], start + block[hit] * BLOCK + row, inside[hit, row])
