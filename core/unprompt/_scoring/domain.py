"""Whether an image is unlike all that an ensemble was scored on, seen in what members predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated

import numpy as np
from pydantic import Field

from unprompt._scoring.blend import stack
from unprompt._scoring.estimate import Result
from unprompt._scoring.expected import enough
from unprompt._scoring.features import Features, evidence_features, used_members
from unprompt.contracts import Batch
from unprompt.errors import DataError
from unprompt.types import DoubleArray, FloatArray

INSIDE = 0.985
"""The share of holdout images that may not be flagged; about as many of other such images are."""

_IMAGES_PER_AXIS = 3
"""More axes would describe the images themselves, fewer miss ways in which members disagree."""
_MOST_AXES = 256
_FOLDS = 10
_EVIDENCE = 0.5
"""How much the evidence counts beside the rows."""
_NOTHING = 1e-12
"""Of a squared distance: below it lies rounding."""


class Usual(Result):
    """Mean and standard deviation of a number on the holdout."""

    mean: float
    deviation: Annotated[float, Field(gt=0)]

    @classmethod
    def of(cls, values: DoubleArray) -> Usual:
        """Of the numbers that are not NaN, at least one; equal numbers get a deviation of 1."""
        deviation = float(np.nanstd(values))
        return cls(mean=float(np.nanmean(values)), deviation=deviation if deviation > 1e-9 else 1.0)

    def units(self, values: DoubleArray) -> DoubleArray:
        """In standard deviations from the mean; 0 for NaN."""
        return np.nan_to_num((values - self.mean) / self.deviation)


class DomainModel(Result):
    """The numbers of `Domain`.

    Attributes:
        distance: The logarithm of the distance from the axes, on the holdout.
        evidence: The highest score of each member's evidence there, kind by kind.
        threshold: Images that are stranger are out of domain.
    """

    distance: Usual
    evidence: Mapping[str, Usual]
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """What members' predictions look like on the images that an ensemble is scored on.

    Members whose rows belong to an image like those keep within few directions of all that M rows
    side by side could be, and they disagree in few ways. On other images they leave them: the
    distance to the subspace of the holdout's rows grows, as the length of the members' mean
    shrinks, which is the same with one axis less for each way to disagree. Evidence that scores
    lower than usual counts beside it.

    Attributes:
        model: Usual distances, and the threshold.
        centre: The mean of the holdout's rows, side by side, of shape (M * D,).
        axes: Their first principal axes, of shape (A, M * D).

    Source: the error of reconstruction by principal components as a measure of novelty; Jackson
    and Mudholkar, Control procedures for residuals associated with PCA, Technometrics 1979.
    """

    model: DomainModel
    centre: DoubleArray
    axes: DoubleArray

    def outside(self, members: Mapping[str, Batch], weights: Mapping[str, float]) -> list[bool]:
        """For each of N images whether it is out of domain.

        Args:
            members: Name -> predictions for the same images.
            weights: Name -> weight in the blend.

        Raises:
            DataError: The axes are those of other members.
        """
        rows = _side_by_side(members, weights)
        if rows.shape[1] != len(self.centre):
            raise DataError(
                f"{len(self.centre)} numbers per image were learned, members give {rows.shape[1]}"
            )
        distance = _log_distance(rows, self.centre, self.axes)
        features = evidence_features(members, weights, "highest")
        strange = _strangeness(self.model.distance, self.model.evidence, distance, features)
        return [bool(value > self.model.threshold) for value in strange]


def fit_domain(
    members: Mapping[str, Batch], weights: Mapping[str, float], groups: Sequence[str]
) -> Domain | None:
    """Learn what predictions look like; no truth and no other images are needed.

    The threshold is a quantile of the same images, each measured from axes that were found
    without its fold of groups.

    Args:
        members: Name -> predictions for the same N images.
        weights: Name -> weight in the blend; members of weight 0 are left out.
        groups: The group of each image.

    Returns:
        None with too few images; see `enough`.
    """
    if not enough(groups):
        return None
    rows = _side_by_side(members, weights)
    distances = _outside_fold(rows, groups)
    features = evidence_features(members, weights, "highest")
    evidence = {
        name: Usual.of(values) for name, values in features.items() if np.isfinite(values).any()
    }
    usual = Usual.of(distances)
    strange = np.sort(_strangeness(usual, evidence, distances, features))
    rank = min(ceil(INSIDE * (len(strange) + 1)), len(strange))
    model = DomainModel(distance=usual, evidence=evidence, threshold=float(strange[rank - 1]))
    return Domain(model, *_axes(rows, _count(rows)))


def _side_by_side(members: Mapping[str, Batch], weights: Mapping[str, float]) -> DoubleArray:
    """All M rows of an image as one, of shape (N, M * D); images as in the first member."""
    embeddings = [members[name].embeddings for name in used_members(members, weights)]
    rows: FloatArray = stack(embeddings, embeddings[0].ids)
    return np.concatenate(list(rows), axis=1).astype(np.float64)


def _count(rows: DoubleArray) -> int:
    """How many axes describe the rows."""
    images, width = len(rows), len(rows[0])
    return min(images // _IMAGES_PER_AXIS, width // 2, _MOST_AXES)


def _axes(rows: DoubleArray, count: int) -> tuple[DoubleArray, DoubleArray]:
    """The mean row and the first principal axes, of shapes (M * D,) and (A, M * D)."""
    from sklearn.utils.extmath import randomized_svd

    centre = rows.mean(axis=0)
    _, _, axes = randomized_svd(rows - centre, count, random_state=0)
    # As the file holds them, so that the threshold is made of what it will be compared with.
    return centre.astype(np.float32).astype(np.float64), axes.astype(np.float32).astype(np.float64)


def _log_distance(rows: DoubleArray, centre: DoubleArray, axes: DoubleArray) -> DoubleArray:
    """The logarithm of each row's squared distance from the axes, of shape (N,)."""
    away = rows - centre
    rest = np.square(away).sum(axis=1) - np.square(away @ axes.T).sum(axis=1)
    result: DoubleArray = np.log(np.maximum(rest, _NOTHING))
    return result


def _outside_fold(rows: DoubleArray, groups: Sequence[str]) -> DoubleArray:
    from sklearn.model_selection import GroupKFold

    distances = np.empty(len(rows))
    for fit, other in GroupKFold(min(_FOLDS, len(set(groups)))).split(rows, groups=groups):
        # As many axes as all images get: fewer would make every distance look large.
        distances[other] = _log_distance(rows[other], *_axes(rows[fit], _count(rows)))
    return distances


def _strangeness(
    usual: Usual, evidence: Mapping[str, Usual], distance: DoubleArray, features: Features
) -> DoubleArray:
    """How far images are from the axes and how little their evidence says, of shape (N,)."""
    lacking = [
        -usual_score.units(features[name])
        for name, usual_score in evidence.items()
        if name in features
    ]
    strange = usual.units(distance)
    return strange + _EVIDENCE * np.mean(lacking, axis=0) if lacking else strange
