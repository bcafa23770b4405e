"""Whether an image is unlike all that an ensemble was scored on, by what members' towers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated

import numpy as np
from pydantic import Field

from unprompt._scoring.estimate import Result
from unprompt._scoring.expected import enough
from unprompt._scoring.features import Features, evidence_features, used_members
from unprompt._scoring.seen import seeing_members, side_by_side
from unprompt.contracts import Batch
from unprompt.errors import DataError, named
from unprompt.types import DoubleArray, FloatArray

INSIDE = 0.98
"""The share of holdout images that may not be flagged, each as far as axes of the others say.

Of other images of the same kind a little fewer are flagged: axes of all images fit them better.
"""

_IMAGES_PER_AXIS = 4
"""More axes would describe the images themselves, fewer miss ways in which they differ."""
_MOST_AXES = 256
_MOST_IMAGES = 5000
"""Enough for as many axes and the quantile; with folds, a holdout is as large as a dataset."""
_BLOCK = 1024
"""Images whose rows are held in float64 at a time."""
_FOLDS = 10
_EVIDENCE = 0.5
"""How much the evidence counts beside the features."""
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
        members: Whose features the axes are of; None: of all members in use.
        complete: Whether these members said of every image of the holdout what they see.
    """

    distance: Usual
    evidence: Mapping[str, Usual]
    threshold: float
    members: tuple[str, ...] | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """What members' towers see in the images that an ensemble is scored on.

    On images like those, the features of all members side by side keep within few of the
    directions that they could take: towers see the same things, each in its own way. On other
    images they leave them, and the distance to the subspace of the holdout's features grows.
    Features come before whatever a head or a bank makes of them: those predict a prompt of the
    holdout's kind for any image. Members that give none are seen by their rows. Evidence that
    scores lower than usual counts beside it. A member whose rows are all that is seen of it, and
    who abstained from some of the holdout, says by them whether it had an answer, not what the
    image is like: it is left out. Who answered for the whole holdout and abstains from an image
    has met none like it, so such an image is out of domain.

    Attributes:
        model: Usual distances, and the threshold.
        centre: The mean of the holdout's features, side by side, of shape (F,): F is the sum of
            the members' widths.
        axes: Their first principal axes, of shape (A, F).

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
        used = used_members(members, weights)
        seeing = used if self.model.members is None else self.model.members
        if missing := [name for name in seeing if name not in members]:
            raise DataError(f"features of {named(missing)} were learned, which is not in use")
        rows, known = side_by_side(members, seeing)
        if rows.shape[1] != len(self.centre):
            raise DataError(
                f"{len(self.centre)} features per image were learned, and {named(seeing)} "
                f"give {rows.shape[1]}"
            )
        distance = _log_distance(rows, self.centre, self.axes)
        scores = evidence_features(members, weights, "highest")
        strange = _strangeness(self.model.distance, self.model.evidence, distance, scores)
        flagged = np.where(known, strange > self.model.threshold, self.model.complete)
        return [bool(value) for value in flagged]


def fit_domain(
    members: Mapping[str, Batch],
    weights: Mapping[str, float],
    groups: Sequence[str],
    reading: Sequence[str] = (),
) -> Domain | None:
    """Learn what members' towers see; no truth and no other images are needed.

    The threshold is a quantile of the same images, each measured from axes that were found
    without its fold of groups.

    Args:
        members: Name -> predictions for the same N images.
        weights: Name -> weight in the blend; members of weight 0 are left out.
        groups: The group of each image.
        reading: Members that read prompts from files, which says nothing of how images look: they
            are left out where there are others.

    Returns:
        None with too few images; see `enough`.
    """
    used = used_members(members, weights)
    looking = [name for name in used if name not in reading] or used
    seeing = seeing_members({name: members[name] for name in looking})
    rows, known = side_by_side(members, seeing)  # all known, but where every member abstains
    groups = [group for group, is_known in zip(groups, known, strict=True) if is_known]
    if not enough(groups):
        return None
    step = ceil(len(groups) / _MOST_IMAGES)
    rows, groups = rows[known][::step], groups[::step]
    scores = {
        name: values[known][::step]
        for name, values in evidence_features(members, weights, "highest").items()
    }
    distances = _outside_fold(rows, groups)
    evidence = {
        name: Usual.of(values) for name, values in scores.items() if np.isfinite(values).any()
    }
    usual = Usual.of(distances)
    strange = np.sort(_strangeness(usual, evidence, distances, scores))
    rank = min(ceil(INSIDE * (len(strange) + 1)), len(strange))
    model = DomainModel(
        distance=usual,
        evidence=evidence,
        threshold=float(strange[rank - 1]),
        members=tuple(seeing) if len(seeing) < len(used) else None,
        complete=bool(known.all()),
    )
    return Domain(model, *_axes(rows, _count(rows)))


def _count(rows: FloatArray) -> int:
    """How many axes describe the features."""
    images, width = len(rows), len(rows[0])
    return min(images // _IMAGES_PER_AXIS, width // 2, _MOST_AXES)


def _axes(rows: FloatArray, count: int) -> tuple[DoubleArray, DoubleArray]:
    """The mean row and the first principal axes, of shapes (F,) and (A, F)."""
    from sklearn.utils.extmath import randomized_svd

    centre = rows.mean(axis=0, dtype=np.float64)
    _, _, axes = randomized_svd(rows - centre, count, random_state=0)
    # As the file holds them, so that the threshold is made of what it will be compared with.
    return centre.astype(np.float32).astype(np.float64), axes.astype(np.float32).astype(np.float64)


def _log_distance(rows: FloatArray, centre: DoubleArray, axes: DoubleArray) -> DoubleArray:
    """The logarithm of each row's squared distance from the axes, of shape (N,)."""
    rest = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        away = rows[block] - centre
        rest[block] = np.square(away).sum(axis=1) - np.square(away @ axes.T).sum(axis=1)
    result: DoubleArray = np.log(np.maximum(rest, _NOTHING))
    return result


def _outside_fold(rows: FloatArray, groups: Sequence[str]) -> DoubleArray:
    from sklearn.model_selection import GroupKFold

    distances = np.empty(len(rows))
    for fit, other in GroupKFold(min(_FOLDS, len(set(groups)))).split(rows, groups=groups):
        # As many axes as all images get: fewer would make every distance look large.
        distances[other] = _log_distance(rows[other], *_axes(rows[fit], _count(rows)))
    return distances


def _strangeness(
    usual: Usual, evidence: Mapping[str, Usual], distance: DoubleArray, scores: Features
) -> DoubleArray:
    """How far images are from the axes and how little their evidence says, of shape (N,)."""
    lacking = [
        -usual_score.units(scores[name]) for name, usual_score in evidence.items() if name in scores
    ]
    strange = usual.units(distance)
    return strange + _EVIDENCE * np.mean(lacking, axis=0) if lacking else strange
