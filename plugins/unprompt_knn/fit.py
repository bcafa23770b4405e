"""Choosing the softmax kernel's temperature on pictures whose prompts are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unprompt import unit
from unprompt.bank import PromptBank
from unprompt_knn.kernel import KernelOptions, weights

FloatArray = npt.NDArray[np.float32]

TEMPERATURES = tuple(float(t) for t in np.geomspace(2, 512, 25).round(1))
"""From almost flat to the nearest prompt alone, four steps to each doubling of two."""

NEAR_DUPLICATE = 0.7
"""Cosine of prompts from which a split keeps them together (`data.split.group_cosine`)."""


def fit_temperature(
    bank: PromptBank,
    queries: FloatArray,
    targets: FloatArray,
    neighbours: int,
    kernel: KernelOptions,
) -> float:
    """The temperature with the best mean cosine on known pictures.

    The bank may hold a picture's own prompt and near-duplicates of it, which a test picture will
    not meet: they are left out, picture by picture.

    Args:
        bank: The prompts to search.
        queries: The pictures' CLIP embeddings, unit rows of shape (n, C).
        targets: Their prompts' rows in the target space, of shape (n, D).
        neighbours: K.
        kernel: Its temperature is the answer where no picture has a neighbour left.
    """
    # Twice as many, so that K are left where half of them are near-duplicates.
    cosines, rows = bank.search_keys(queries, 2 * neighbours)  # (n, 2 K)
    near = bank.targets[rows]  # (n, 2 K, D)
    others = np.einsum("nkd,nd->nk", near, targets) < NEAR_DUPLICATE
    others &= np.cumsum(others, axis=1) <= neighbours
    some = others.any(axis=1)
    if not some.any():
        return kernel.temperature
    left = np.where(others, cosines, -np.inf)[some]  # (m, 2 K)

    def score(temperature: float) -> float:
        shares = weights(left, kernel.model_copy(update={"temperature": temperature}))
        predicted = unit(np.einsum("nk,nkd->nd", shares, near[some]))
        return float(np.einsum("nd,nd->n", predicted, targets[some]).mean())

    return max(TEMPERATURES, key=score)
