"""Taking out what all prompts and what all images have in common.

A CLIP's images and texts lie apart, each around a mean of its own (the modality gap: Liang et al.
2022, arXiv 2203.02053). A query then resembles all keys by the same amount, which says nothing of
the image, and a kernel that follows differences between neighbours follows the gap instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unprompt import DataError, unit
from unprompt.artifacts import read_tensors
from unprompt.bank import PromptBank
from unprompt_knn.kernel import DoubleArray, FloatArray

FILE = "centre.safetensors"


@dataclass(frozen=True, eq=False)
class Centre:
    """The mean of images' CLIP embeddings, and of the bank's keys and targets.

    Attributes:
        queries: Mean of the train images' CLIP embeddings, float32 of shape (C,).
        keys: Mean of the bank's keys as CLIP gave them, float32 of shape (C,).
        targets: Mean of the bank's targets, float32 of shape (D,).
    """

    queries: FloatArray
    keys: FloatArray
    targets: FloatArray

    @classmethod
    def of(cls, queries: FloatArray, bank: PromptBank) -> Centre:
        """Measure it on train images' queries, of shape (n, C), and on a bank as CLIP gave it."""
        return cls(queries.mean(axis=0), bank.keys.mean(axis=0), bank.targets.mean(axis=0))

    def save(self, folder: Path) -> None:
        """Write the means of queries and keys; that of the targets follows from the bank."""
        from safetensors.numpy import save_file

        save_file({"queries": self.queries, "keys": self.keys}, folder / FILE)

    @classmethod
    def read(cls, folder: Path, bank: PromptBank) -> Centre:
        """Read what `save` wrote.

        Args:
            folder: Of the artifact.
            bank: Of the same artifact, centred.

        Raises:
            DataError: The file is missing or damaged, or is not the bank's.
        """
        means = read_tensors(folder / FILE, {"queries": ("C",), "keys": ("C",)})
        queries, keys = (mean.astype(np.float32) for mean in means.values())
        if len(queries) != bank.keys.shape[1]:
            raise DataError(
                f"{folder / FILE}: has {len(queries)} numbers, but the bank's keys "
                f"{bank.keys.shape[1]}: it was made with another tower"
            )
        return cls(queries, keys, bank.targets.mean(axis=0))

    def moved(self, queries: FloatArray) -> FloatArray:
        """Queries (n, C) without their mean: unit rows again."""
        return unit(queries - self.queries)


def centred(bank: PromptBank) -> PromptBank:
    """A bank whose keys are without their mean: unit rows again."""
    keys = unit(bank.keys - bank.keys.mean(axis=0))
    return PromptBank.of(bank.prompts, bank.targets, keys)


def summed(near: FloatArray, shares: DoubleArray, centre: Centre | None) -> FloatArray:
    """What neighbours predict: the sum of their targets by their shares.

    With a centre, what is summed is how they differ from the mean target, and that mean is added:
    where the neighbours explain little of an image, the prediction stays near the mean.

    Args:
        near: The neighbours' targets, of shape (n, K, D).
        shares: Of shape (n, K).
        centre: Of queries and bank; None: they are as CLIP gave them.

    Returns:
        Unit rows of shape (n, D).
    """
    rows: DoubleArray = np.einsum("nk,nkd->nd", shares, near)
    if centre is not None:
        rows += (1 - shares.sum(axis=1, keepdims=True)) * centre.targets
    return unit(rows)
