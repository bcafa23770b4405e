"""The cosine that a prediction is expected to have with the true prompt, with an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Annotated

import numpy as np
from pydantic import Field

from unprompt._scoring.estimate import Result
from unprompt._scoring.features import Features
from unprompt.types import DoubleArray

COVERAGE = 0.9
"""The share of images whose true cosine should lie in its interval."""
FEWEST_IMAGES = 50
"""With fewer, nothing is learned: an end of a 90 % interval would rest on two images."""
FEWEST_GROUPS = 10
"""Groups of near-duplicate prompts; with fewer, cross-validation cannot tell what is luck."""

_FOLDS = 10
_PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Of the ridge regression, for features of variance 1; the sum of squares is over N images."""


class Term(Result):
    """What a feature adds to the expected score.

    Attributes:
        mean: Of the feature on the holdout; stands in for it where an image has none.
        deviation: Its standard deviation there.
        slope: Cosine per standard deviation.
    """

    mean: float
    deviation: Annotated[float, Field(gt=0)]
    slope: float


class ExpectedModel(Result):
    """How the expected score follows from features; see `fit_expected`.

    Attributes:
        mean: The mean cosine on the holdout.
        terms: Feature -> what it adds.
        least: The lowest expected score that occurred on the holdout; none is below it.
        most: The highest.
        below: From the expected score down to the lower end of the interval; at most 0 but for
            odd data.
        above: Up to its upper end.
        images: Of the holdout.
        groups: Groups of near-duplicate prompts among them.
    """

    mean: float
    terms: Mapping[str, Term]
    least: float
    most: float
    below: float
    above: float
    images: int
    groups: int

    def expected(self, features: Features, count: int) -> ExpectedScores:
        """The expected scores of ``count`` images, of shape (N,).

        Args:
            features: By name; those that are not in the model are left alone.
            count: N.
        """
        scores = np.full(count, self.mean)
        for name, term in self.terms.items():
            values = features.get(name, np.full(count, np.nan))
            scores += term.slope * np.nan_to_num((values - term.mean) / term.deviation)
        scores = scores.clip(self.least, self.most)
        return ExpectedScores(
            scores, (scores + self.below).clip(-1, 1), (scores + self.above).clip(-1, 1)
        )


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedScores:
    """Expected scores of N images with the ends of their intervals, each of shape (N,)."""

    score: DoubleArray
    low: DoubleArray
    high: DoubleArray


def fit_expected(
    features: Features, cosines: DoubleArray, groups: Sequence[str]
) -> ExpectedModel | None:
    """Learn expected scores from images whose true cosine is known.

    A ridge regression; its penalty is chosen by cross-validation over groups. What it predicts of
    images outside the fold is stretched by a straight line onto their cosines, which makes it
    right on average, and the interval is made of the same images' residuals.

    Args:
        features: Name -> one number per image, of shape (N,).
        cosines: The true cosines, of shape (N,).
        groups: The group of each image.

    Returns:
        None with too few images; see `enough`.

    Source: the interval: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005
    (conformal prediction), with residuals of cross-validation.
    """
    if not enough(groups):
        return None
    kept = {name: values for name, values in features.items() if _usable(values)}
    means = {name: float(np.nanmean(values)) for name, values in kept.items()}
    deviations = {name: float(np.nanstd(values)) for name, values in kept.items()}
    columns = [np.nan_to_num((kept[name] - means[name]) / deviations[name]) for name in kept]
    table = np.column_stack(columns) if columns else np.zeros((len(cosines), 0))
    slopes, outside = _regression(table, cosines, groups)
    stretch = _stretch(outside, cosines)
    mean = float(cosines.mean())
    scores = mean + stretch * (outside - outside.mean())
    below, above = _interval(cosines - scores)
    return ExpectedModel(
        mean=mean,
        terms={
            name: Term(mean=means[name], deviation=deviations[name], slope=stretch * slope)
            for name, slope in zip(kept, slopes.tolist(), strict=True)
        },
        least=float(scores.min()),
        most=float(scores.max()),
        below=below,
        above=above,
        images=len(cosines),
        groups=len(set(groups)),
    )


def enough(groups: Sequence[str]) -> bool:
    """Whether images of these groups suffice to learn from."""
    return len(groups) >= FEWEST_IMAGES and len(set(groups)) >= FEWEST_GROUPS


def _usable(values: DoubleArray) -> bool:
    """Whether a feature differs between images, and most of them have it."""
    known = np.isfinite(values)
    return bool(known.mean() > 0.5 and np.std(values[known]) > 1e-6)


def _regression(
    table: DoubleArray, cosines: DoubleArray, groups: Sequence[str]
) -> tuple[DoubleArray, DoubleArray]:
    """Ridge regression on columns of mean 0 and variance 1.

    Args:
        table: Of shape (N, number of features); may have no columns.
        cosines: Of shape (N,).
        groups: N.

    Returns:
        One slope per column, and for each image what a regression without its fold predicts, (N,).
    """
    if not table.shape[1]:
        return np.zeros(0), np.full(len(cosines), cosines.mean())
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold, cross_val_predict

    folds = GroupKFold(min(_FOLDS, len(set(groups))))
    outside = {
        penalty: cross_val_predict(Ridge(alpha=penalty), table, cosines, groups=groups, cv=folds)
        for penalty in _PENALTIES
    }
    best = min(outside, key=lambda penalty: float(np.square(outside[penalty] - cosines).sum()))
    slopes: DoubleArray = Ridge(alpha=best).fit(table, cosines).coef_
    return slopes, outside[best]


def _stretch(outside: DoubleArray, cosines: DoubleArray) -> float:
    """The slope of ``cosines`` over ``outside``; 0 where features say nothing of other images."""
    spread = outside - outside.mean()
    square = float(spread @ spread)
    return max(float(spread @ cosines) / square, 0.0) if square > 1e-12 else 0.0


def _interval(residuals: DoubleArray) -> tuple[float, float]:
    """Below and above these ends lie as many of N + 1 residuals as `COVERAGE` allows."""
    ordered = np.sort(residuals)
    tail = (1 - COVERAGE) / 2 * (len(ordered) + 1)
    return float(ordered[floor(tail) - 1]), float(ordered[-1 - (floor(tail) - 1)])
