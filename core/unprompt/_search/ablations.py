"""Other ways to blend, to report beside ours: each fitted on the holdout and scored on test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unprompt._search.objective import GramObjective
from unprompt._search.polish import polish
from unprompt.embeddings import cosine, unit
from unprompt.types import DoubleArray, FloatArray

_FOLDS = 5
_STRENGTHS = (1e3, 1e2, 1e1, 1e0, 1e-1, 1e-2, 1e-3)
"""Penalties, in multiples of what the data weighs on average; the first one wins a tie."""


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """Predictions and targets of one split, rows in the same order of images.

    Attributes:
        members: float32 of shape (M, N, D): rows of any length, as the members gave them.
        targets: Unit rows, float32 of shape (N, D).
    """

    members: FloatArray
    targets: FloatArray

    def rows(self, indices: npt.NDArray[np.intp]) -> Stacked:
        """Some images only."""
        return Stacked(self.members[:, indices], self.targets[indices])

    def unit(self) -> Stacked:
        """With every member's rows at length 1, as our own blend has them."""
        return Stacked(np.stack([unit(member) for member in self.members]), self.targets)


Ablation = Callable[[Stacked, Stacked, Sequence[str]], DoubleArray]
"""Fits a blend on the first split, the holdout, and scores it on the second one, test.

The third argument is the group of each holdout image, two groups or more; they are never split
between folds. Gives the cosines of the test images, float64 of shape (N_test,).
"""


def per_dimension(holdout: Stacked, test: Stacked, groups: Sequence[str]) -> DoubleArray:
    """Weights (M, D), one per member and dimension, pulled towards one per member.

    With rows divided by the length of the plain blend, the squared error of the plain blend is
    ``2 - 2 cos``; from there each dimension is a ridge regression of M weights. How hard they are
    pulled, up to "all the way", is what predicts best in grouped cross-validation.
    """
    return _cross_validated(
        holdout.unit(), test.unit(), groups, (np.inf, *_STRENGTHS), _pulled_weights, _blend
    )


def ridge_stack(holdout: Stacked, test: Stacked, groups: Sequence[str]) -> DoubleArray:
    """A linear map from all members' unit rows side by side (M * D numbers) to the target.

    It has no constant: members' rows carry the mean already. The penalty is what predicts best
    in grouped cross-validation; then the map is fitted on all of the holdout.

    Source: Wolpert, Stacked generalization, 1992; Kaggle's 28th place of "Stable Diffusion -
    Image to Prompts" cross-fitted such a map.
    """
    return _cross_validated(holdout.unit(), test.unit(), groups, _STRENGTHS, _linear_maps, _mapped)


def _cross_validated(
    holdout: Stacked,
    test: Stacked,
    groups: Sequence[str],
    strengths: Sequence[float],
    fit: Callable[[Stacked, Sequence[float]], Iterable[DoubleArray]],
    predict: Callable[[FloatArray, DoubleArray], DoubleArray],
) -> DoubleArray:
    """Choose a strength on the holdout's folds, fit on all of it, give the cosines on test."""
    from sklearn.model_selection import GroupKFold

    sums = np.zeros(len(strengths))
    folds = GroupKFold(min(_FOLDS, len(set(groups))))  # a run needs 2 groups or more
    for fitted, scored in folds.split(holdout.targets, groups=np.asarray(groups)):
        fold = holdout.rows(scored)
        for index, model in enumerate(fit(holdout.rows(fitted), strengths)):
            sums[index] += cosine(predict(fold.members, model), fold.targets).sum()
    best = strengths[int(np.argmax(sums))]
    (model,) = fit(holdout, [best])
    return cosine(predict(test.members, model), test.targets)


def _blend(members: FloatArray, weights: DoubleArray) -> DoubleArray:
    """The sum of members by weights of shape (M, D) or (M, 1): float64 of shape (N, D)."""
    summed = np.zeros(members.shape[1:])
    for member, weight in zip(members, weights, strict=True):
        summed += member * weight
    return summed


def _pulled_weights(stacked: Stacked, strengths: Sequence[float]) -> Iterator[DoubleArray]:
    """Weights of shape (M, D) for each strength of the pull towards one weight per member."""
    objective = GramObjective.from_predictions(stacked.members, stacked.targets)
    weights = np.array(polish(objective, np.ones(len(stacked.members))).weights)
    blended = _blend(stacked.members, weights[:, None])  # (N, D)
    length = np.linalg.norm(blended, axis=1, keepdims=True)  # (N, 1)
    known = length > 1e-6 * weights.sum()
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=known)
    rows = stacked.members * inverse.astype(np.float32)
    # Least squares shortens an unsure prediction; pulled to this length, only ratios differ.
    weights = weights * cosine(blended, stacked.targets).mean()
    gram = np.array([[_by_dimension(a, b) for b in rows] for a in rows])  # (M, M, D)
    right = np.array([_by_dimension(a, stacked.targets) for a in rows])  # (M, D)
    unit_pull = float(np.einsum("mmd->", gram)) / right.size or 1.0
    for strength in strengths:
        if np.isinf(strength):
            yield np.repeat(weights[:, None], right.shape[1], axis=1)
            continue
        pull = strength * unit_pull
        matrices = gram.transpose(2, 0, 1) + pull * np.eye(len(rows))  # (D, M, M)
        solved = np.linalg.solve(matrices, (right + pull * weights[:, None]).T[:, :, None])
        yield solved[:, :, 0].T


def _by_dimension(a: FloatArray, b: FloatArray) -> DoubleArray:
    """The products of two arrays (N, D), summed over rows: float64 of shape (D,)."""
    summed: DoubleArray = np.einsum("nd,nd->d", a, b, dtype=np.float64)
    return summed


def _linear_maps(stacked: Stacked, strengths: Sequence[float]) -> Iterator[DoubleArray]:
    """Maps of shape (M * D, D) for each penalty, by whichever normal equations are smaller."""
    from scipy.linalg import cho_factor, cho_solve

    x, y = _side_by_side(stacked.members).astype(np.float64), stacked.targets.astype(np.float64)
    dual = len(x) < x.shape[1]
    gram, right = (x @ x.T, y) if dual else (x.T @ x, x.T @ y)
    unit_penalty = float(np.trace(gram)) / x.shape[1] or 1.0
    for strength in strengths:
        penalised = gram.copy()
        penalised.flat[:: len(penalised) + 1] += strength * unit_penalty
        solved = cho_solve(cho_factor(penalised, overwrite_a=True, check_finite=False), right)
        yield x.T @ solved if dual else solved


def _mapped(members: FloatArray, linear: DoubleArray) -> DoubleArray:
    """Predictions by a map of shape (M * D, D): of shape (N, D)."""
    mapped = _side_by_side(members) @ linear.astype(np.float32)  # float64 would be twice as slow
    return mapped.astype(np.float64)


def _side_by_side(members: FloatArray) -> FloatArray:
    """Members (M, N, D) as one table of shape (N, M * D)."""
    return members.transpose(1, 0, 2).reshape(members.shape[1], -1)


ABLATIONS: Mapping[str, Ablation] = {"per-dimension": per_dimension, "ridge-stack": ridge_stack}
"""By the names that YAML has for them."""
