"""Choosing a kernel's one number on pictures whose prompts are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from unprompt import unit
from unprompt.bank import PromptBank
from unprompt_knn.kernel import DoubleArray, KernelOptions, ridge_weights, weights

FloatArray = npt.NDArray[np.float32]

TEMPERATURES = tuple(float(t) for t in np.geomspace(2, 512, 25).round(1))
"""Softmax, from almost flat to the nearest prompt alone, four steps to each doubling of two."""
PENALTIES = tuple(float(p) for p in np.geomspace(0.01, 10, 7).round(3))
"""Ridge, from almost an interpolation to almost the sum of cosines."""

NEAR_DUPLICATE = 0.7
"""Cosine of prompts from which a split keeps them together (`data.split.group_cosine`)."""
_BLOCK = 16
"""Queries at a time: ridge holds K x K numbers for each."""


def shares(
    bank: PromptBank, cosines: FloatArray, rows: npt.NDArray[np.int64], kernel: KernelOptions
) -> DoubleArray:
    """Each neighbour's share of the weighted sum.

    Args:
        bank: Where the neighbours were found.
        cosines: Of shape (n, K); -inf leaves a neighbour out.
        rows: Their numbers, (n, K).
        kernel: Which kernel, its numbers known.
    """
    if kernel.name != "ridge":
        return weights(cosines, kernel)
    blocks = [slice(i, i + _BLOCK) for i in range(0, len(rows), _BLOCK)]
    parts = [ridge_weights(cosines[b], bank.keys[rows[b]], kernel.penalty) for b in blocks]
    return np.concatenate(parts) if parts else np.empty(rows.shape)


def fit(
    bank: PromptBank,
    queries: FloatArray,
    targets: FloatArray,
    neighbours: int,
    kernel: KernelOptions,
) -> dict[str, float]:
    """Softmax's temperature or ridge's penalty with the best mean cosine on known pictures.

    The bank may hold a picture's own prompt and near-duplicates of it, which a test picture will
    not meet: they are left out, picture by picture.

    Args:
        bank: The prompts to search.
        queries: The pictures' CLIP embeddings, unit rows of shape (n, C).
        targets: Their prompts' rows in the target space, of shape (n, D).
        neighbours: K.
        kernel: Its own number is the answer where no picture has a neighbour left.

    Returns:
        The option's name and its value.
    """
    name, tried = (
        ("penalty", PENALTIES) if kernel.name == "ridge" else ("temperature", TEMPERATURES)
    )
    # Twice as many, so that K are left where half of them are near-duplicates.
    cosines, rows = bank.search_keys(queries, 2 * neighbours)  # (n, 2 K)
    others = np.einsum("nkd,nd->nk", bank.targets[rows], targets) < NEAR_DUPLICATE
    some = others.any(axis=1)
    if not some.any():
        return {name: float(getattr(kernel, name))}
    # Those left come first, in their order, and are cut to K.
    order = np.argsort(~others[some], axis=1, kind="stable")[:, :neighbours]
    rows = np.take_along_axis(rows[some], order, axis=1)  # (m, K)
    left = np.where(others[some], cosines[some], -np.inf)
    left = np.take_along_axis(left, order, axis=1).astype(np.float32)
    score = _score(bank, left, rows, targets[some])
    return {name: max(tried, key=lambda value: score(kernel.model_copy(update={name: value})))}


def _score(
    bank: PromptBank, cosines: FloatArray, rows: npt.NDArray[np.int64], targets: FloatArray
) -> Callable[[KernelOptions], float]:
    near = bank.targets[rows]  # (m, K, D)

    def score(kernel: KernelOptions) -> float:
        predicted = unit(np.einsum("nk,nkd->nd", shares(bank, cosines, rows, kernel), near))
        return float(np.einsum("nd,nd->n", predicted, targets).mean())

    return score
