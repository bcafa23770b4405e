"""What a score is compared with: the floor, without the image, and the oracle, the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unprompt.contracts import TextEncoder
from unprompt.embeddings import Embeddings, cosine, unit
from unprompt.errors import DataError, named
from unprompt.types import DoubleArray


def floor_cosines(train: Embeddings, targets: Embeddings) -> DoubleArray:
    """Each target's cosine with the normalised mean train embedding: the score without the image.

    Args:
        train: Embeddings of the train prompts, of shape (N_train, D).
        targets: Embeddings of the prompts to score, of shape (N, D).

    Returns:
        float64 of shape (N,).
    """
    mean = unit(train.rows.mean(axis=0, keepdims=True))  # (1, D)
    return cosine(np.repeat(mean, len(targets), axis=0), targets.rows)


def oracle_cosines(
    wordings: Mapping[str, Sequence[str]], targets: Embeddings, encoder: TextEncoder
) -> DoubleArray:
    """Each target's cosine with the mean embedding of the prompts that fit its image.

    The mean over K draws is noisy: at K = 16 the noise lowers the cosine by about 1 %, which
    would make every "gap closed" too high. So the length of the true mean is estimated without
    bias, from the products of different draws: ``|m|^2 = E[x_i x_j], i != j``. The estimate is
    pooled over images, because that of one image is itself noisy.

    Args:
        wordings: For each id K >= 2 prompts, drawn independently.
        targets: Embeddings of the prompts to score, of shape (N, D).
        encoder: The text encoder of the target space.

    Returns:
        float64 of shape (N,); their mean is the oracle's score.

    Raises:
        DataError: An image has fewer than two wordings, or another number than the first.
    """
    count = max(2, len(wordings[targets.ids[0]]))
    other_counts = [name for name in targets.ids if len(wordings[name]) != count]
    if other_counts:
        raise DataError(f"images without exactly {count} wordings: {named(other_counts)}")
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
