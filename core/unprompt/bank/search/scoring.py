"""Scores: the exact inner product, rounded to float32.

A score depends on the query and the row alone: not on the other rows that are scored with it, nor
on the library or the processor, which add up in orders of their own. The product is computed in
float64 with a bound of its error; where both ends of that interval are rounded to the same float32,
that is the score. The few products where they are not (one in a hundred thousand, and sums that lie
just between two float32 numbers) are added up exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


def scores_of(rows: torch.Tensor, queries: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
    """Score every row for every query.

    Args:
        rows: float64 of shape (m, C), each number a float32.
        queries: The same of shape (g, C).
        error: `QueryBounds.exact_error` of the queries, of shape (g,).

    Returns:
        float32 of shape (m, g), the same on every machine.
    """
    return _rounded_once(
        rows @ queries.T, error, lambda row, query: _summed(rows[row], queries[query])
    )


def scores_of_pairs(
    rows: torch.Tensor, queries: torch.Tensor, which: torch.Tensor, error: torch.Tensor
) -> torch.Tensor:
    """Score each row for one query.

    Args:
        rows: As for `scores_of`.
        queries: As for `scores_of`.
        which: The numbers of the rows' queries, int64 of shape (m,); those of one query lie
            behind each other.
        error: As for `scores_of`.

    Returns:
        float32 of shape (m,): what `scores_of` gives of these pairs.
    """
    import torch

    found, counts = torch.unique_consecutive(which, return_counts=True)
    products = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
    parts = torch.split(rows, counts.tolist()), torch.split(products, counts.tolist())
    for query, part, into in zip(found.tolist(), *parts, strict=True):
        torch.mv(part, queries[query], out=into)
    return _rounded_once(
        products, error[which], lambda row: _summed(rows[row], queries[which[row]])
    )


def _rounded_once(
    products: torch.Tensor, error: torch.Tensor, summed: Callable[..., torch.Tensor]
) -> torch.Tensor:
    """Products as float32.

    Args:
        products: float64, of any shape.
        error: By how much they may be wrong.
        summed: Adds up those at some places exactly; takes the places as `torch.nonzero` gives
            them, an argument a dimension.
    """
    import torch

    scores = (products - error).float()
    undecided = (scores != (products + error).float()).nonzero()
    if len(undecided):
        for some in torch.split(undecided, 256):
            scores[tuple(some.T)] = summed(*some.T)
    return scores + 0.0  # -0 is 0


def _summed(rows: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
    """Inner products of pairs, added up exactly.

    Products of two float32 numbers are exact in float64, and ``math.fsum`` rounds once.
    """
    import torch

    products = (rows * queries).cpu().numpy()
    sums = np.zeros(len(products))
    for number in np.flatnonzero(products.any(axis=1)):
        sums[number] = math.fsum(products[number].tolist())
    return torch.from_numpy(_rounded(products, sums)).to(rows.device)


def _rounded(
    products: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Float32 numbers that are next to the exact sums of products (p, C).

    Rounding a second time goes wrong where the first one, to ``sums`` (p,), has ended half-way
    between two float32 numbers: what it took away then says which of them is nearer.
    """
    nearest = sums.astype(np.float32)
    other = np.nextafter(nearest, np.where(sums > nearest, np.inf, -np.inf).astype(np.float32))
    for number in np.flatnonzero(sums - nearest == other - sums):
        rest = math.fsum([*products[number].tolist(), -sums[number]])
        if rest:
            both = nearest[number], other[number]
            nearest[number] = max(both) if rest > 0 else min(both)
    return nearest
