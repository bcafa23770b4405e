"""Choosing kernel, number and K on images whose prompts are known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from unprompt_knn.centre import Centre
from unprompt_knn.kernel import DoubleArray, FloatArray
from unprompt_knn.kernels import Fitted
from unprompt_knn.near import Mask, Near

_BLOCK = 32
"""Queries at a time: each has a prediction of every choice."""


def near_duplicates(near: Near, targets: FloatArray, cosine: float) -> Mask:
    """Which neighbours (n, K) nearly are the images' own prompts.

    The bank may hold an image's own prompt and near-duplicates of it, which a test image will not
    meet: a fit leaves them out, image by image.

    Args:
        near: The neighbours.
        targets: The images' own rows in the target space, of shape (n, D).
        cosine: Of prompts, from which on a split keeps them together.
    """
    # Once for each prompt: neighbours of neighbouring queries are mostly the same.
    cosines = targets @ near.targets.T  # (n, U)
    mask: Mask = np.take_along_axis(cosines, near.rows, axis=1) >= cosine
    return mask


class Grid:
    """Mean cosines of every choice, over batches of images; no tower runs for one more choice."""

    def __init__(
        self, choices: Sequence[Fitted], centre: Centre | None, count_power: float
    ) -> None:
        """Nothing is measured yet.

        Args:
            choices: Kernels and K, of which one is chosen; at least one.
            centre: What was taken out of bank and queries.
            count_power: See `KnnOptions`.
        """
        self._choices, self._centre, self._count_power = choices, centre, count_power
        self._sums = np.zeros(len(choices))

    def add(self, near: Near, targets: FloatArray) -> None:
        """Measure every choice on more images.

        Args:
            near: Their neighbours, as many as the largest K; images without any do not count.
            targets: Their own rows in the target space, of shape (n, D).
        """
        near, targets = near.at(near.answered), targets[near.answered]
        for start in range(0, len(targets), _BLOCK):
            block = np.zeros(len(targets), bool)
            block[start : start + _BLOCK] = True
            self._sums += self._cosines(near.at(block), targets[block]).sum(axis=1)

    def best(self) -> Fitted | None:
        """The first of the best choices; None where no image had a neighbour."""
        return self._choices[int(self._sums.argmax())] if self._sums.any() else None

    def _cosines(self, near: Near, targets: FloatArray) -> DoubleArray:
        """Of every choice's predictions with the images' own rows, of shape (choices, n)."""
        parts = []
        kinds = groupby(self._choices, lambda choice: (choice.neighbours, type(choice.kernel)))
        for (count, kind), alike in kinds:
            first = near.first(count)
            kernels = [choice.kernel for choice in alike]
            times = first.times(self._count_power)
            shares = kind.shares_of_each(kernels, first.cosines, first.rows, first.keys, times)
            parts.append(self._scored(first, shares, targets))
        return np.concatenate(parts)

    def _scored(self, near: Near, shares: DoubleArray, targets: FloatArray) -> DoubleArray:
        """Cosines (S, n) of predictions by shares (S, n, K); `centre.summed` for many at once."""
        each = shares.transpose(1, 0, 2)  # (n, S, K)
        rows: DoubleArray = each @ near.targets[near.rows]  # (n, S, D)
        if self._centre is not None:
            rows += (1 - each.sum(axis=2, keepdims=True)) * self._centre.targets
        lengths = np.maximum(np.linalg.norm(rows, axis=2), 1e-12)
        cosines: DoubleArray = (np.einsum("nsd,nd->ns", rows, targets) / lengths).T
        return cosines
