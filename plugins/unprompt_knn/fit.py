"""Choosing a kernel's one number on images whose prompts are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unprompt.bank import PromptBank
from unprompt_knn.centre import Centre, summed
from unprompt_knn.kernel import FloatArray, Numbers, Ridge, Softmax


def fit(
    bank: PromptBank,
    queries: FloatArray,
    targets: FloatArray,
    neighbours: int,
    kernel: Softmax | Ridge,
    near_duplicate: float = 0.7,
    centre: Centre | None = None,
) -> dict[str, float]:
    """Softmax's temperature or ridge's penalty with the best mean cosine on known images.

    The bank may hold an image's own prompt and near-duplicates of it, which a test image will
    not meet: they are left out, image by image.

    Args:
        bank: The prompts to search.
        queries: The images' CLIP embeddings, as the bank is searched with: unit rows of shape
            (n, C).
        targets: Their prompts' rows in the target space, of shape (n, D).
        neighbours: K.
        kernel: Its own number is the result where no image has a neighbour left.
        near_duplicate: Cosine of prompts from which on a split keeps them together.
        centre: What was taken out of bank and queries.

    Returns:
        The option's name and its value.
    """
    # Twice as many, so that K remain where half of them are near-duplicates.
    cosines, rows = bank.search_keys(queries, 2 * neighbours)  # (n, 2 K)
    others = np.einsum("nkd,nd->nk", bank.targets[rows], targets) < near_duplicate
    usable = others.any(axis=1)
    if not usable.any():
        return {kernel.number: float(getattr(kernel, kernel.number))}
    # Those that remain come first, in their order, and are cut to K.
    order = np.argsort(~others[usable], axis=1, kind="stable")[:, :neighbours]
    rows = np.take_along_axis(rows[usable], order, axis=1)  # (m, K)
    masked = np.where(others[usable], cosines[usable], -np.inf)
    masked = np.take_along_axis(masked, order, axis=1).astype(np.float32)
    score = _score(bank, masked, rows, targets[usable], centre)
    tried = {value: kernel.model_copy(update={kernel.number: value}) for value in kernel.tried}
    return {kernel.number: max(tried, key=lambda value: score(tried[value]))}


def _score(
    bank: PromptBank,
    cosines: FloatArray,
    rows: Numbers,
    targets: FloatArray,
    centre: Centre | None,
) -> Callable[[Softmax | Ridge], float]:
    near = bank.targets[rows]  # (m, K, D)

    def score(kernel: Softmax | Ridge) -> float:
        predicted = summed(near, kernel.shares(cosines, rows, bank.keys), centre)
        return float(np.einsum("nd,nd->n", predicted, targets).mean())

    return score
