"""Mean cosine with a 95 % bootstrap interval over groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unprompt.errors import DataError
from unprompt.types import DoubleArray, Json

_BLOCK = 64  # resamples at a time: bounds memory to 64 x groups


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over a set.

    Attributes:
        mean: Mean cosine, or mean difference of two cosines.
        low: Lower end of the 95 % interval.
        high: Upper end.
    """

    mean: float
    low: float
    high: float

    def plain(self) -> dict[str, Json]:
        """As ``scores.json`` writes it."""
        return {"score": self.mean, "ci95": [self.low, self.high]}

    def __str__(self) -> str:
        """``0.7712 [0.7650, 0.7774]``."""
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def score(values: DoubleArray, groups: Sequence[str], *, samples: int, seed: int) -> Score:
    """Mean of ``values`` with a percentile bootstrap interval.

    Whole groups are drawn with replacement, because pictures of near-duplicate prompts are not
    independent. For paired intervals pass the difference of two predictions' cosines.

    Args:
        values: One per picture, of shape (N,), N > 0.
        groups: The group of each picture.
        samples: Bootstrap resamples.
        seed: Makes the interval repeatable.

    Raises:
        DataError: There are no values.

    Source: cluster bootstrap; Efron and Tibshirani, An Introduction to the Bootstrap, 1993.
    """
    means = bootstrap(values, groups, samples=samples, seed=seed)
    return _interval(float(np.mean(values)), means)


def gap_closed(
    values: DoubleArray,
    floor: DoubleArray,
    oracle: DoubleArray,
    groups: Sequence[str],
    *,
    samples: int,
    seed: int,
) -> Score:
    """``(score - floor) / (oracle - floor)``: 0 needs no picture, 1 is all that a picture tells.

    Args:
        values: Cosines of the predictions, of shape (N,).
        floor: Cosines of the floor, of the same pictures.
        oracle: Cosines of the oracle, of the same pictures.
        groups: As in `score`.
        samples: As in `score`.
        seed: As in `score`.
    """
    sets = (values, floor, oracle)
    means = [bootstrap(one, groups, samples=samples, seed=seed) for one in sets]  # same draws
    got, low, high = (float(one.mean()) for one in sets)
    return _interval(_share(got, low, high), _share(*means))


def bootstrap(
    values: DoubleArray, groups: Sequence[str], *, samples: int, seed: int
) -> DoubleArray:
    """Resampled means, of shape (samples,); the same draws for the same groups and seed.

    Raises:
        DataError: There are no values.
    """
    if len(values) == 0:
        raise DataError("no pictures to score")
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    size = np.bincount(number).astype(np.float64)  # (G,)
    total = np.bincount(number, weights=values).astype(np.float64)  # (G,)
    return _resampled_means(total, size, samples, np.random.default_rng(seed))


def _share(value: Any, low: Any, high: Any) -> Any:
    return (value - low) / (high - low)


def _interval(mean: float, means: DoubleArray) -> Score:
    low, high = np.quantile(means, [0.025, 0.975])
    return Score(mean, float(low), float(high))


def _resampled_means(
    total: DoubleArray, size: DoubleArray, samples: int, rng: np.random.Generator
) -> DoubleArray:
    """The mean of each resample of G groups, of shape (samples,)."""
    count = len(size)
    chances = np.full(count, 1 / count)
    means = np.empty(samples)
    for start in range(0, samples, _BLOCK):
        block = min(_BLOCK, samples - start)
        times = rng.multinomial(count, chances, size=block).astype(np.float64)  # (block, G)
        means[start : start + block] = (times @ total) / (times @ size)
    return means
