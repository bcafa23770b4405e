"""What a score is compared with: the floor, without the image, and the oracle, the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unprompt._scoring.estimate import student_quantile
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


@dataclass(frozen=True, slots=True, eq=False)
class Oracle:
    """The best score that images allow, as far as some wordings of each tell.

    Attributes:
        cosines: Of each target with the mean embedding of the prompts that fit its image, float64
            of shape (N,); their mean is the oracle's score.
        half_width: Half of the 95 % interval that the score has because the wordings are a sample,
            for these very images; other images are what its interval over groups is about. None
            with two wordings: without one of them there is no estimate to compare with.
    """

    cosines: DoubleArray
    half_width: float | None


def estimate_oracle(
    wordings: Mapping[str, Sequence[str]], targets: Embeddings, encoder: TextEncoder
) -> Oracle:
    """The oracle of some images, from K wordings of each.

    The mean over K draws is noisy: at K = 16 the noise lowers the cosine by about 1 %, which
    would make every "gap closed" too high. So the length of the true mean is estimated without
    bias, from the products of different draws: ``|m|^2 = E[x_i x_j], i != j``. The estimate is
    pooled over images, because that of one image is itself noisy.

    The half-width is the jackknife's over draws: the score is estimated K times, each time without
    one draw of every image, with Student's quantile for K - 1 degrees of freedom.

    Args:
        wordings: For each id K >= 2 prompts, drawn independently.
        targets: Embeddings of the prompts to score, of shape (N, D).
        encoder: A text encoder of the target space. The fast one serves: its rows' error is the
            same for any wording, and a hundred times below what one wording differs from another.

    Raises:
        DataError: An image has fewer than two wordings, or another number than the first.

    Source: the jackknife: Quenouille, Biometrika 43, 1956; Tukey, Annals of Mathematical
    Statistics 29, 1958.
    """
    count = max(2, len(wordings[targets.ids[0]]))
    other_counts = [name for name in targets.ids if len(wordings[name]) != count]
    if other_counts:
        raise DataError(f"images without exactly {count} wordings: {named(other_counts)}")
    texts = [text for name in targets.ids for text in wordings[name]]
    rows = encoder.encode(texts).reshape(len(targets), count, -1)  # (N, K, D)
    true = targets.rows.astype(np.float64)
    total = rows.sum(axis=1, dtype=np.float64)  # (N, D)
    cosines = _cosines(total / count, count, true)
    if count == 2:
        return Oracle(cosines, None)
    without = [
        float(_cosines((total - rows[:, k]) / (count - 1), count - 1, true).mean())
        for k in range(count)
    ]
    variance = (count - 1) * float(np.var(without))
    return Oracle(cosines, student_quantile(count - 1) * float(np.sqrt(variance)))


def _cosines(mean: DoubleArray, count: int, targets: DoubleArray) -> DoubleArray:
    """Cosines (N,) of targets with the means (N, D) of ``count`` >= 2 draws each."""
    squared = (mean**2).sum(axis=1)  # of the sample mean
    unbiased = (count * squared - 1) / (count - 1)  # (N,)
    shrink = np.sqrt(max(unbiased.mean(), squared.mean() / count) / squared.mean())
    dots = np.einsum("nd,nd->n", mean, targets)
    cosines: DoubleArray = dots / (np.sqrt(squared) * shrink)
    return cosines
