"""The held-out score of any weights, without touching the embeddings again.

With unit member predictions P and unit targets Y, row n of the blend is ``w P_n``, its dot product
with the target ``w (P_n Y_n)`` and its length ``sqrt(w (P_n P_n^T) w)``. Both small products are
computed once, so that a trial costs N x M x M instead of N x M x D. They lie pair by pair, so that
one product of a vector with a contiguous matrix gives all lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from unprompt._scoring.blend import CANCELLED
from unprompt.types import DoubleArray, FloatArray

Indices = npt.NDArray[np.intp]
_ROWS = 1024  # at a time in float64: bounds memory where there are many members


@dataclass(frozen=True, slots=True, eq=False)
class GramObjective:
    """Mean cosine of a blend on a fixed set, as a function of the weights.

    Attributes:
        gram: The upper triangle of each row's ``P P^T``, pair by pair in the order of `pairs`:
            float64 of shape (M (M + 1) / 2, N).
        dots: ``P Y`` of each row, float64 of shape (N, M).
    """

    gram: DoubleArray
    dots: DoubleArray

    @classmethod
    def from_predictions(cls, members: FloatArray, targets: FloatArray) -> GramObjective:
        """Reduce predictions and targets.

        Args:
            members: Unit or zero rows of shape (M, N, D).
            targets: Unit rows of shape (N, D).
        """
        count, rows = members.shape[:2]
        first, second = pairs(count)
        gram, dots = np.empty((len(first), rows)), np.empty((rows, count))
        for start in range(0, rows, _ROWS):
            block = slice(start, start + _ROWS)
            wide = members[:, block].transpose(1, 0, 2).astype(np.float64)  # (n, M, D)
            products = wide @ wide.transpose(0, 2, 1)  # (n, M, M)
            gram[:, block] = products[:, first, second].T
            dots[block] = np.einsum("nmd,nd->nm", wide, targets[block].astype(np.float64))
        return cls(gram, dots)

    @property
    def member_count(self) -> int:
        """M."""
        return int(self.dots.shape[1])

    def subset(self, columns: Sequence[int]) -> GramObjective:
        """The same over some of the members, in the order given."""
        keep = np.asarray(columns, dtype=np.intp)
        row_of = np.empty((self.member_count, self.member_count), dtype=np.intp)
        first, second = pairs(self.member_count)
        row_of[first, second] = row_of[second, first] = np.arange(len(first))
        a, b = pairs(len(keep))
        return GramObjective(self.gram[row_of[keep[a], keep[b]]], self.dots[:, keep])

    def cosines(self, weights: npt.ArrayLike) -> DoubleArray:
        """Each image's cosine under ``weights`` (M,): float64 of shape (N,).

        A row that the members cancel out scores 0.
        """
        w = np.asarray(weights, dtype=np.float64)
        if np.count_nonzero(w) < len(w):  # options are searched with one member's variant of many
            used = np.flatnonzero(w)
            return self.subset(used.tolist()).cosines(w[used]) if len(used) else self._zeros()
        cosines, length = self.dots @ w, self.lengths(w)
        known = length > 0
        if known.all():  # nearly always, and faster than choosing
            cosines /= length
            return cosines
        result: DoubleArray = np.divide(cosines, length, out=self._zeros(), where=known)
        return result

    def lengths(self, w: DoubleArray) -> DoubleArray:
        """Each row's length under ``w`` (M,), of shape (N,).

        It is 0 where nobody answered, and where the members cancel out: rounding is left behind
        there, which would be blown up to a direction.
        """
        first, second = pairs(self.member_count)
        twice = np.where(first == second, 1.0, 2.0)
        squared = (twice * w[first] * w[second]) @ self.gram  # (N,)
        least = CANCELLED * float(np.abs(w).sum())
        if squared.size and squared.min() <= least * least:  # seldom, and then it costs N x M
            # A member's product with itself is 1, or 0 where it did not answer. Those who did may
            # have small weights: 6 digits of them are kept, whatever the others weigh.
            behind = CANCELLED * (np.abs(w) @ self.gram[first == second])
            squared[squared <= behind * behind] = 0.0
        return np.sqrt(squared, out=squared)

    def __call__(self, weights: npt.ArrayLike) -> float:
        """Mean cosine under ``weights`` (M,)."""
        return float(self.cosines(weights).mean())

    def _zeros(self) -> DoubleArray:
        return np.zeros(len(self.dots))


@cache
def pairs(members: int) -> tuple[Indices, Indices]:
    """The first and the second member of each pair, 0 <= first <= second < M."""
    first, second = np.triu_indices(members)
    return first, second
