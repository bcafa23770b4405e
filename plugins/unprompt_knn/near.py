"""Neighbours of a batch of queries, in tables of their own: what every kernel works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from unprompt.bank import Bank, BankCounts
from unprompt_knn.centre import Centre, summed
from unprompt_knn.kernel import DoubleArray, FloatArray, Numbers
from unprompt_knn.kernels import Kernel

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Near:
    """K neighbours of each of n queries; prompts that several have in common are there once.

    Attributes:
        cosines: With their query, float32 of shape (n, K), highest first; -inf: left out.
        rows: Numbers of rows of what follows, of shape (n, K).
        keys: CLIP embeddings of U prompts, unit rows of shape (U, C).
        targets: Their rows in the target space, of shape (U, D).
        counts: How often each prompt occurs in the bank's source, float64 of shape (U,).
        texts: The U prompts.
    """

    cosines: FloatArray
    rows: Numbers
    keys: FloatArray
    targets: FloatArray
    counts: DoubleArray
    texts: tuple[str, ...]

    @classmethod
    def of(
        cls, bank: Bank, counts: BankCounts | DoubleArray, cosines: FloatArray, rows: Numbers
    ) -> tuple[Near, Numbers]:
        """What a search in a bank has found.

        Args:
            bank: Of B prompts.
            counts: Of shape (B,).
            cosines: Of shape (n, K), highest first.
            rows: Numbers of the bank's rows, of shape (n, K).

        Returns:
            The neighbours, and the bank's row of each of the U prompts.
        """
        used, numbers = np.unique(rows, return_inverse=True)
        texts = tuple(bank.prompts[row] for row in used)
        tables = bank.keys[used], bank.targets[used], counts[used], texts
        return cls(cosines, numbers.reshape(rows.shape).astype(np.int64), *tables), used

    def joined(
        self, owners: Sequence[int], queries: FloatArray, keys: FloatArray, targets: FloatArray,
        texts: Sequence[str],
    ) -> Near:  # fmt: skip
        """With one more neighbour of some of the queries, which counts as often as one prompt.

        Args:
            owners: Numbers of m queries.
            queries: All n queries, of shape (n, C).
            keys: The new neighbours' CLIP embeddings, of shape (m, C).
            targets: Their rows in the target space, of shape (m, D).
            texts: The m texts.
        """
        if not len(owners):
            return self
        cosines = np.full((len(queries), 1), -np.inf, np.float32)
        rows = np.zeros((len(queries), 1), np.int64)
        cosines[list(owners), 0] = np.einsum("mc,mc->m", queries[list(owners)], keys)
        rows[list(owners), 0] = len(self.texts) + np.arange(len(owners))
        wider = replace(
            self,
            cosines=np.concatenate([self.cosines, cosines], axis=1),
            rows=np.concatenate([self.rows, rows], axis=1),
            keys=np.concatenate([self.keys, keys]),
            targets=np.concatenate([self.targets, targets]),
            counts=np.concatenate([self.counts, np.ones(len(owners))]),
            texts=(*self.texts, *texts),
        )
        return wider.by_cosine(wider.cosines)

    def by_cosine(self, cosines: FloatArray) -> Near:
        """The same neighbours in the order of other cosines (n, K); ties stay as they are."""
        order = np.argsort(-cosines, axis=1, kind="stable")
        ordered = np.take_along_axis(cosines, order, axis=1)
        return replace(self, cosines=ordered, rows=np.take_along_axis(self.rows, order, axis=1))

    def without(self, out: Mask) -> Near:
        """Without the neighbours that a mask (n, K) names: they come last, at -inf."""
        return self.by_cosine(np.where(out, np.float32(-np.inf), self.cosines))

    def first(self, count: int) -> Near:
        """The nearest ``count`` neighbours of each query."""
        return replace(self, cosines=self.cosines[:, :count], rows=self.rows[:, :count])

    def at(self, inside: Mask) -> Near:
        """Those of some of the queries, which a mask (n,) names."""
        return replace(self, cosines=self.cosines[inside], rows=self.rows[inside])

    @property
    def answered(self) -> Mask:
        """Which queries have a neighbour that is not left out, of shape (n,)."""
        mask: Mask = np.any(np.isfinite(self.cosines), axis=1)
        return mask

    def times(self, count_power: float) -> DoubleArray | None:
        """As how many equal neighbours each counts, of shape (n, K); None: as one."""
        if not count_power:
            return None
        times: DoubleArray = self.counts[self.rows] ** count_power
        return times

    def shares(self, kernel: Kernel, count_power: float) -> DoubleArray:
        """Each neighbour's share, of shape (n, K)."""
        return kernel.shares(self.cosines, self.rows, self.keys, self.times(count_power))

    def summed(self, shares: DoubleArray, centre: Centre | None) -> FloatArray:
        """What they predict by their shares (n, K): unit rows of shape (n, D)."""
        return summed(self.targets[self.rows], shares, centre)
