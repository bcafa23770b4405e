"""The linear probe: frozen features -> targets, ridge regression in closed form.

The penalty is chosen on validation images, of which the fit knows nothing, or, where there are
none, by leave-one-out error. Linear probing before fine-tuning (LP-FT) keeps the features of the
tower from being distorted while a random head is still learning: Kumar et al. 2022, arXiv
2202.10054; the 3rd-place solution of the Kaggle competition calls it, with averaged parameters and
layer-wise learning rates, worth 0.02.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unprompt.embeddings import cosine
from unprompt.errors import DataError
from unprompt.types import BoolArray, DoubleArray, FloatArray

_ROWS = 8192
"""Rows in float64 at a time: features may be a file larger than memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """``features @ weight + bias``, fitted.

    Attributes:
        weight: float32 of shape (F, D), for features as they come.
        bias: float32 of shape (D,).
        penalty: The one that was chosen.
        scores: Mean cosine on the validation images for each penalty; empty where the choice was
            by leave-one-out error.
    """

    weight: FloatArray
    bias: FloatArray
    penalty: float
    scores: Mapping[float, float]


def fit_probe(
    features: FloatArray,
    targets: FloatArray,
    penalties: Sequence[float],
    *,
    weights: npt.ArrayLike | None = None,
    validation: npt.ArrayLike | None = None,
    refit: bool = True,
) -> Probe:
    """Ridge regression on standardised features; the bias is not penalised.

    A penalty is a multiple of the images' sum of weights, so that it means the same with any number
    of them.

    Args:
        features: Of shape (N, F), N > 1; may be memory-mapped.
        targets: Unit rows of shape (N, D).
        penalties: To choose from, each above 0.
        weights: How much each of N images counts, at least 0; None: all alike.
        validation: For each of N images whether it only helps to choose the penalty, of shape
            (N,). None: the choice is by leave-one-out error.
        refit: Whether the fit with the chosen penalty is repeated with the validation images. A
            fine-tuning that begins here and is validated on them needs one that has not seen them.

    Raises:
        DataError: No image of a weight above zero is left to fit or to choose by.
    """
    given = np.ones(len(features)) if weights is None else np.asarray(weights, np.float64)
    if validation is None:
        return _leave_one_out(features, targets, penalties, given)
    held = np.asarray(validation, np.bool_)
    for what, part in (("to fit", ~held), ("to choose the penalty by", held)):
        if not given[part].any():
            raise DataError(f"the linear probe has no image {what} whose weight is above zero")
    system = _System.of(features, targets, np.where(held, 0.0, given))
    scores = {
        penalty: _score(features, targets, given, held, system.solve(penalty))
        for penalty in penalties
    }
    best = max(penalties, key=lambda penalty: scores[penalty])
    final = _System.of(features, targets, given) if refit else system
    weight, bias = final.solve(best)
    return Probe(weight.astype(np.float32), bias.astype(np.float32), best, scores)


def _leave_one_out(
    features: FloatArray, targets: FloatArray, penalties: Sequence[float], weights: DoubleArray
) -> Probe:
    """The penalty with the smallest leave-one-out squared error, which has a closed form."""
    from sklearn.linear_model import RidgeCV

    counted = weights > 0
    if counted.sum() < 2:
        raise DataError("the linear probe needs two images whose weight is above zero")
    features, targets, weights = features[counted], targets[counted], weights[counted]
    wide = features.astype(np.float64)
    alike = bool((weights == weights[0]).all())
    total = float(len(wide)) if alike else float(weights.sum())
    mean = wide.mean(axis=0) if alike else weights @ wide / total
    spread = wide.std(axis=0) if alike else np.sqrt(weights @ (wide - mean) ** 2 / total)
    _keep_still(spread, mean)
    model = RidgeCV(alphas=[penalty * total for penalty in penalties])
    model.fit(
        (wide - mean) / spread, targets.astype(np.float64), sample_weight=None if alike else weights
    )
    weight = model.coef_.T / spread[:, None]  # (F, D), for features as they come
    bias = model.intercept_ - mean @ weight
    chosen = min(penalties, key=lambda penalty: abs(penalty * total - model.alpha_))
    return Probe(weight.astype(np.float32), bias.astype(np.float32), chosen, {})


@dataclass(frozen=True, slots=True, eq=False)
class _System:
    """Normal equations on standardised features, decomposed once for every penalty.

    scikit-learn's solvers decompose the (N, F) matrix, in float64 in memory, once a penalty; these
    need (F, F).

    Attributes:
        values: Eigenvalues of the weighted Gram matrix, of shape (F,).
        vectors: Its eigenvectors, of shape (F, F).
        products: ``vectors.T @ (X.T W Y)``, of shape (F, D).
        mean: Of features, of shape (F,).
        spread: Their standard deviation, 1 where it is 0.
        centre: Mean of targets, of shape (D,).
        total: Sum of weights.
    """

    values: DoubleArray
    vectors: DoubleArray
    products: DoubleArray
    mean: DoubleArray
    spread: DoubleArray
    centre: DoubleArray
    total: float

    @classmethod
    def of(cls, features: FloatArray, targets: FloatArray, weights: DoubleArray) -> _System:
        """Two passes over the features: their mean first, as its square may hide their spread."""
        from scipy.linalg import eigh

        total = float(weights.sum())
        width, dim = features.shape[1], targets.shape[1]
        mean, centre = np.zeros(width), np.zeros(dim)
        for part in _parts(weights):
            mean += weights[part] @ features[part].astype(np.float64)
            centre += weights[part] @ targets[part].astype(np.float64)
        mean, centre = mean / total, centre / total
        gram, cross = np.zeros((width, width)), np.zeros((width, dim))
        for part in _parts(weights):
            root = np.sqrt(weights[part])[:, None]
            rows = (features[part].astype(np.float64) - mean) * root
            gram += rows.T @ rows
            cross += rows.T @ ((targets[part].astype(np.float64) - centre) * root)
        spread = np.sqrt(np.diag(gram) / total)
        _keep_still(spread, mean)
        values, vectors = eigh(gram / np.outer(spread, spread))
        products = vectors.T @ (cross / spread[:, None])
        return cls(np.maximum(values, 0), vectors, products, mean, spread, centre, total)

    def solve(self, penalty: float) -> tuple[DoubleArray, DoubleArray]:
        """Weight (F, D) and bias (D,) for features as they come."""
        shrunk = self.products / (self.values + penalty * self.total)[:, None]
        weight = (self.vectors @ shrunk) / self.spread[:, None]
        return weight, self.centre - self.mean @ weight


def _keep_still(spread: DoubleArray, mean: DoubleArray) -> None:
    """Make the spread 1 of features that never move, but for rounding: they add nothing."""
    spread[spread <= 1e-9 * np.abs(mean)] = 1.0


def _parts(weights: DoubleArray) -> Iterator[slice]:
    """Consecutive rows, a bounded number at a time."""
    for start in range(0, len(weights), _ROWS):
        yield slice(start, start + _ROWS)


def _score(
    features: FloatArray,
    targets: FloatArray,
    weights: DoubleArray,
    held: BoolArray,
    fit: tuple[DoubleArray, DoubleArray],
) -> float:
    """Weighted mean cosine of predictions with targets, of the images that were held back."""
    weight, bias = fit
    total = 0.0
    for part in _parts(weights):
        rows = np.flatnonzero(held[part]) + part.start
        predicted = features[rows].astype(np.float64) @ weight + bias
        total += float(weights[rows] @ cosine(predicted, targets[rows]))
    return total / float(weights[held].sum())
