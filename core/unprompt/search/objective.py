"""The held-out score of any weights, without touching the embeddings again.

With unit member predictions P and unit targets Y, row n of the blend is ``w P_n``, its dot product
with the target ``w (P_n Y_n)`` and its length ``sqrt(w (P_n P_n^T) w)``. Both small products are
computed once, so that a trial costs N x M x M instead of N x M x D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unprompt.types import DoubleArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class GramObjective:
    """Mean cosine of a blend on a fixed set, as a function of the weights.

    Attributes:
        gram: ``P P^T`` of each row, float64 of shape (N, M, M).
        dots: ``P Y`` of each row, float64 of shape (N, M).
    """

    gram: DoubleArray
    dots: DoubleArray

    @classmethod
    def of(cls, members: FloatArray, targets: FloatArray) -> GramObjective:
        """Reduce predictions and targets.

        Args:
            members: Unit or zero rows of shape (M, N, D).
            targets: Unit rows of shape (N, D).
        """
        wide, target = members.astype(np.float64), targets.astype(np.float64)
        gram = np.einsum("mnd,knd->nmk", wide, wide, optimize=True)
        return cls(gram, np.einsum("mnd,nd->nm", wide, target))

    def cosines(self, weights: npt.ArrayLike) -> DoubleArray:
        """Each picture's cosine under ``weights`` (M,): float64 of shape (N,).

        A row that the members cancel out scores 0.
        """
        w = np.asarray(weights, dtype=np.float64)
        squared = (self.gram @ w) @ w  # (N,)
        length = np.sqrt(np.maximum(squared, 0.0))
        known = length > 1e-6 * max(float(np.abs(w).sum()), 1e-300)
        dots = self.dots @ w
        result: DoubleArray = np.divide(dots, length, out=np.zeros_like(dots), where=known)
        return result

    def __call__(self, weights: npt.ArrayLike) -> float:
        """Mean cosine under ``weights`` (M,)."""
        return float(self.cosines(weights).mean())
