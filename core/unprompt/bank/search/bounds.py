r"""How far a score of the 16-bit product can be from the score itself, with the proof.

Let ``q`` and ``x`` be a query and a row as float32 numbers, ``s = sum(q_i x_i)`` their exact inner
product and ``r`` its score: ``s``, rounded to float32. The product multiplies ``q~`` and ``x~``,
which are ``q`` and ``x`` rounded to bfloat16, adds up in float32 to ``f``, and rounds ``f`` to the
bfloat16 ``v``. Claim: ``|f - r| <= E`` with

    E = |q - q~| X  +  |q~| dX  +  g |q~| (X + dX)  +  u |q| X  +  z,

where ``| |`` is the Euclidean norm, ``X`` and ``dX`` are the largest ``|x|`` and ``|x - x~|`` of
the rows, ``g = C h / (1 - C h)``, ``h = 2**-22``, ``u = 2**-23``, and ``z`` is ``C 2**-100`` unless
``q = 0``. It is the sum of:

1. Rounding the factors. ``q.x - q~.x~ = (q - q~).x + q~.(x - x~)``; by Cauchy-Schwarz this is at
   most ``|q - q~| |x| + |q~| |x - x~|``. Both norms are measured, not assumed.
2. Adding up. A sum of C products in floating point, in any order, with or without fused multiply
   and add, differs from the exact one by at most ``g sum |q~_i x~_i|`` where one operation has a
   relative error of at most ``h`` (Higham, Accuracy and Stability of Numerical Algorithms, 2002,
   section 3.1: C factors ``1 + d`` on each product at most, as products of two bfloat16 numbers
   are exact in float32). Again by Cauchy-Schwarz, ``sum |q~_i x~_i| <= |q~| |x~|``, and
   ``|x~| <= |x| + |x - x~|``. Rounding to nearest has ``h = 2**-24``; four times that covers units
   that truncate and the exact float32 products of the float32 route (one more factor).
3. ``r`` differs from ``s`` by at most ``2**-24 |s| <= 2**-24 |q| |x|``; ``u`` is twice that.
4. Processors may read and write numbers below 2**-126 as 0, in the factors, the products and the
   sums; there are at most 4 C such losses, each below ``2**-126`` times a factor of at most
   ``2**20`` (longer rows and queries are refused), and ``4 * 2**-106 < 2**-100``. A query of zeros
   has E = 0 and f = r = 0.

The norms are computed with rounding, too: those of the rows in float32, so that their squares may
be wrong by ``(C + 2) 2**-24`` of their value and by underflow; `widened` covers both.

So a row with ``v`` cannot be among the K best if ``f + E < t`` for every ``f`` that rounds to
``v``, where ``t`` is a lower bound of the K-th highest score: such as the K-th highest
``l(v) - E``, with ``l(v)`` the lowest ``f`` that rounds to ``v`` (K rows score at least that).
Rounding keeps the order, so ``f >= t - E`` implies ``v >= round(t - E)``: comparing the rounded
numbers loses no row, and the rounding of the output costs nothing more. Rows as good as the K-th
are kept, for ties by number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unprompt.errors import DataError

if TYPE_CHECKING:
    import torch

LONGEST = 2.0**20
"""Rows and queries longer than this are refused; no sum over shorter ones overflows."""
WIDEST = 1 << 21
"""Rows of more numbers are refused: of ``2**22``, ``C h`` is 1, and there is no bound ``g``."""


@dataclass(frozen=True, slots=True)
class RowBounds:
    """The largest norms of some rows.

    Attributes:
        length: X, of the rows themselves.
        residual: dX, of what the 16-bit rounding takes away.
    """

    length: float = 0.0
    residual: float = 0.0

    def joined(self, other: RowBounds) -> RowBounds:
        """The bounds of both sets of rows."""
        return RowBounds(max(self.length, other.length), max(self.residual, other.residual))


def widened(norm: float, dims: int) -> float:
    """An upper bound of a norm over C numbers that was computed in float32."""
    return norm * (1 + (dims + 2) * 2.0**-24) + math.sqrt(dims) * 2.0**-63


def check_queries(queries: torch.Tensor) -> None:
    """Check queries of shape (n, C).

    Raises:
        DataError: One is not finite or longer than `LONGEST`; names its number.
    """
    lengths = queries.double().norm(dim=1)
    wrong = (~(lengths <= LONGEST)).nonzero().flatten().tolist()
    if wrong:
        finite = bool(queries[wrong[0]].isfinite().all())
        what = f"longer than {LONGEST:,.0f}" if finite else "not finite"
        raise DataError(f"query {wrong[0]} is {what}: it cannot be searched for")


@dataclass(frozen=True, slots=True)
class QueryBounds:
    """Norms of n queries, in float64.

    Attributes:
        length: ``|q|``, of shape (n,).
        rounded: ``|q~|``.
        residual: ``|q - q~|``.
        dims: C.
    """

    length: torch.Tensor
    rounded: torch.Tensor
    residual: torch.Tensor
    dims: int

    @classmethod
    def of(cls, queries: torch.Tensor, rounded: torch.Tensor) -> QueryBounds:
        """Measure queries of shape (n, C), and what they are rounded to."""
        exact, coarse = queries.double(), rounded.double()
        length = exact.norm(dim=1)
        slack = 1 + 2.0**-40  # float64's own rounding
        residual = (exact - coarse).norm(dim=1) * slack
        return cls(length * slack, coarse.norm(dim=1) * slack, residual, queries.shape[1])

    def error(self, rows: RowBounds) -> torch.Tensor:
        """E of the proof for each query against rows with these bounds: float64 of shape (n,)."""
        adding = self.dims * 2.0**-22
        return (
            self.residual * rows.length
            + self.rounded * rows.residual
            + adding / (1 - adding) * self.rounded * (rows.length + rows.residual)
            + 2.0**-23 * rows.length * self.length
            + self.dims * 2.0**-100 * (self.length > 0)
        ) * (1 + 2.0**-40)

    def exact_error(self, rows: RowBounds) -> torch.Tensor:
        """The same for products in float64 of the unrounded numbers, which are exact factors.

        Only step 2 is left of the proof, with float64's rounding (twice over).
        """
        return self.dims * 2.0**-52 * self.length * rows.length

    def part(self, chosen: slice) -> QueryBounds:
        """The bounds of some of the queries."""
        return QueryBounds(
            self.length[chosen], self.rounded[chosen], self.residual[chosen], self.dims
        )
