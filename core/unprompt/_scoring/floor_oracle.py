"""The frame of every score: the floor below it and the oracle above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unprompt.contracts import TextEncoder
from unprompt.embeddings import Embeddings, cosine, unit
from unprompt.errors import DataError, named
from unprompt.types import DoubleArray


def floor_cosines(train: Embeddings, targets: Embeddings) -> DoubleArray:
    """Each target's cosine with the normalised mean train embedding: what needs no image.

    Args:
        train: Of shape (N_train, D).
        targets: Of shape (N, D).

    Returns:
        float64 of shape (N,).
    """
    mean = unit(train.rows.mean(axis=0, keepdims=True))  # (1, D)
    return cosine(np.repeat(mean, len(targets), axis=0), targets.rows)


def oracle_cosines(
    wordings: Mapping[str, Sequence[str]], targets: Embeddings, encoder: TextEncoder
) -> DoubleArray:
    """Each target's cosine with the mean embedding of the prompts its image allows.

    The mean over K draws is too short a sample: its own noise lowers the cosine by about 1 % at
    K = 16, which would flatter every "gap closed". So the length of the true mean is estimated
    without bias, from the products of different draws: ``|m|^2 = E[x_i x_j], i != j``; the
    estimate is pooled over images, because that of one image is itself noisy.

    Args:
        wordings: For each id K >= 2 independent draws.
        targets: Of shape (N, D).
        encoder: The target space.

    Returns:
        float64 of shape (N,); their mean is the oracle's score.

    Raises:
        DataError: An image has fewer than two wordings, or not as many as the others.
    """
    count = max(2, len(wordings[targets.ids[0]]))
    ragged = [name for name in targets.ids if len(wordings[name]) != count]
    if ragged:
        raise DataError(f"not {count} wordings, as many as for other images: {named(ragged)}")
    texts = [text for name in targets.ids for text in wordings[name]]
    rows = encoder.encode(texts).astype(np.float64).reshape(len(targets), count, -1)  # (N, K, D)
    mean = rows.mean(axis=1)  # (N, D)
    squared = (mean**2).sum(axis=1)  # of the sample mean
    unbiased = (count * squared - 1) / (count - 1)  # (N,)
    shrink = np.sqrt(max(unbiased.mean(), squared.mean() / count) / squared.mean())
    dots = np.einsum("nd,nd->n", mean, targets.rows.astype(np.float64))
    length = np.sqrt(squared) * shrink
    result: DoubleArray = dots / length
    return result
