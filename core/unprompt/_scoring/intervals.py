"""Mean cosine with a 95 % bootstrap interval over groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unprompt._scoring.estimate import Estimate
from unprompt.errors import DataError
from unprompt.types import DoubleArray

_BLOCK = 64  # resamples at a time: bounds memory to 64 x groups


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How means over a split's images get their 95 % intervals: the same draws for all of them.

    Attributes:
        groups: The group of each image.
        samples: Bootstrap resamples.
        seed: Of the bootstrap.
    """

    groups: Sequence[str]
    samples: int
    seed: int

    def mean(self, values: DoubleArray) -> Estimate:
        """The mean of one number per image, of shape (N,); see `score`."""
        return score(values, self.groups, samples=self.samples, seed=self.seed)

    def gap_closed(self, values: DoubleArray, floor: DoubleArray, oracle: DoubleArray) -> Estimate:
        """The share of the gap between floor and oracle; see `gap_closed`."""
        return gap_closed(values, floor, oracle, self.groups, samples=self.samples, seed=self.seed)


def score(values: DoubleArray, groups: Sequence[str], *, samples: int, seed: int) -> Estimate:
    """Mean of ``values`` with a percentile bootstrap interval.

    Whole groups are drawn with replacement, because images of near-duplicate prompts are not
    independent. For paired intervals pass the difference of two predictions' cosines.

    Args:
        values: One per image, of shape (N,), N > 0.
        groups: The group of each image.
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
) -> Estimate:
    """``(score - floor) / (oracle - floor)``: 0 needs no image, 1 is all that an image tells.

    Args:
        values: Cosines of the predictions, of shape (N,).
        floor: Cosines of the floor, of the same images.
        oracle: Cosines of the oracle, of the same images.
        groups: As in `score`.
        samples: As in `score`.
        seed: As in `score`.
    """
    sets = (values, floor, oracle)
    resampled = [
        bootstrap(cosines, groups, samples=samples, seed=seed) for cosines in sets
    ]  # same draws
    means = [float(cosines.mean()) for cosines in sets]
    return _interval(_share(*means), _share(*resampled))


def bootstrap(
    values: DoubleArray, groups: Sequence[str], *, samples: int, seed: int
) -> DoubleArray:
    """Resampled means, of shape (samples,); the same draws for the same groups and seed.

    Raises:
        DataError: There are no values.
    """
    if len(values) == 0:
        raise DataError("no images to score")
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    size = np.bincount(number).astype(np.float64)  # (G,)
    total = np.bincount(number, weights=values).astype(np.float64)  # (G,)
    return _resampled_means(total, size, samples, np.random.default_rng(seed))


def _share(value: Any, low: Any, high: Any) -> Any:
    return (value - low) / (high - low)


def _interval(mean: float, means: DoubleArray) -> Estimate:
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(score=mean, ci95=(float(low), float(high)))


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
