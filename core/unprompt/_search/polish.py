"""From good weights to the best ones near by, by the exact gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unprompt._scoring.blend import check_weights
from unprompt._search.objective import GramObjective, pairs
from unprompt.types import DoubleArray

Bounds = Sequence[tuple[float, float]]
"""Lowest and highest weight of each member."""
_LIFT = 1e-3  # what a weight of 0 starts from
_FLAT = 1e-7  # of `slope_left`; what is left of it in the score is about its square
_SOLVERS = (
    ("L-BFGS-B", {"maxiter": 500, "ftol": 1e-16, "gtol": 1e-11}),
    ("SLSQP", {"maxiter": 500, "ftol": 1e-15}),
)


@dataclass(frozen=True, slots=True)
class Polished:
    """Where a local search ended.

    Attributes:
        weights: M numbers >= 0; the largest is 1, or all lie in their bounds.
        score: Mean cosine under them, in -1..1; never below that of the start.
        steps: Iterations that were taken.
    """

    weights: tuple[float, ...]
    score: float
    steps: int


def polish(
    objective: GramObjective, weights: npt.ArrayLike, *, bounds: Bounds | None = None
) -> Polished:
    """Climb from given weights to the nearest optimum of the mean cosine.

    Each image's cosine is quasi-concave in the weights where it is positive. Their mean need
    not be, but for members that all know something it has one optimum in practice.

    Args:
        objective: Members and targets of the held-out images.
        weights: The start: M numbers >= 0, not all 0; only their ratios matter without bounds.
        bounds: Lowest and highest weight of each member, 0 <= lowest <= highest. A start outside
            is moved inside first. None: weights may be anything >= 0.

    Returns:
        The optimum, or the start where nothing better was found.

    Raises:
        DataError: A weight is negative or not finite, all are 0, or there are not M of them.

    Source: L-BFGS-B; Byrd, Lu, Nocedal and Zhu, SIAM J. Scientific Computing 16(5), 1995. SLSQP;
    Kraft, DFVLR-FB 88-28, 1988.
    """
    start, low, high = _start(weights, objective.member_count, bounds)
    # Off the border: where one member knows nothing, a second one helps at once, and no slope
    # at weight 0 tells so.
    begin = np.clip(np.maximum(start, _LIFT * start.max()), low, high)
    optimum, steps = _climb(objective, begin, low, high)
    if bounds is None and optimum.any():
        optimum = optimum / optimum.max()
    score, before = objective(optimum), objective(start)
    if not optimum.any() or not score > before:
        optimum, score = start, before
    return Polished(tuple(optimum.tolist()), score, steps)


def _climb(
    objective: GramObjective, begin: DoubleArray, low: DoubleArray, high: DoubleArray
) -> tuple[DoubleArray, int]:
    """The optimum near ``begin``, of shape (M,), and how many iterations that took.

    L-BFGS-B mostly does it. Its line search gives up early in 1 of 500 boxes, where it loses up to
    8e-3; so the other solver goes on where a slope is left, and so on in turns.
    """
    from scipy.optimize import minimize

    def downhill(w: DoubleArray) -> tuple[float, DoubleArray]:
        if not w.any():  # counts 0, which would beat a start below 0, but is no blend
            return 1.0, np.zeros_like(w)
        value, gradient = value_and_gradient(objective, w)
        return -value, -gradient

    limits = list(zip(low, high, strict=True))
    point, steps = begin, 0
    for method, options in _SOLVERS * 3:
        result = minimize(
            downhill, point, jac=True, method=method, bounds=limits, options=dict(options)
        )
        end = np.clip(np.asarray(result.x, dtype=np.float64), low, high)
        steps += int(result.get("nit", 0))  # none where bounds leave nothing to choose
        if downhill(end)[0] <= downhill(point)[0]:
            point = end
        if slope_left(objective, point, low, high) < _FLAT:
            break
    return point, steps


def slope_left(
    objective: GramObjective, weights: DoubleArray, low: DoubleArray, high: DoubleArray
) -> float:
    """How far the conditions of Karush, Kuhn and Tucker are from being met; 0 at an optimum.

    The longest step of a weight that a step along the gradient takes inside the bounds, as a share
    of all weights; whatever the scale of the weights, as only their ratios matter.

    Args:
        objective: Whose gradient.
        weights: Where, of shape (M,).
        low: The lowest weights, of shape (M,).
        high: The highest weights, of shape (M,).
    """
    if not weights.any():
        return 0.0
    scale = float(np.abs(weights).sum())
    _, gradient = value_and_gradient(objective, weights)  # is divided by the scale
    moved = np.clip(weights + scale * scale * gradient, low, high)
    return float(np.abs(moved - weights).max()) / scale


def value_and_gradient(
    objective: GramObjective, weights: npt.ArrayLike
) -> tuple[float, DoubleArray]:
    """Mean cosine and its derivative by each weight.

    With ``L = sqrt(w G w)`` of each row, the derivative is the mean of
    ``d / L - (d w) G w / L^3``. Rows that count 0 have none. As only ratios matter, the
    derivative along the weights themselves is 0.

    Returns:
        The value, in -1..1, and float64 of shape (M,).
    """
    w = np.asarray(weights, dtype=np.float64)
    length = objective.lengths(w)  # (N,)
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    cosines = (objective.dots @ w) * inverse
    # The sum over rows comes before the product with w, so that no (N, M) is made.
    first, second = pairs(objective.member_count)
    pull = np.empty((objective.member_count, objective.member_count))
    pull[first, second] = pull[second, first] = objective.gram @ (cosines * inverse * inverse)
    gradient: DoubleArray = (inverse @ objective.dots - pull @ w) / len(length)
    return float(cosines.mean()), gradient


def _start(
    weights: npt.ArrayLike, members: int, bounds: Bounds | None
) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """The start and what limits it, each of shape (M,)."""
    given = np.asarray(weights, dtype=np.float64)
    check_weights(given.tolist(), members)
    if bounds is None:
        return given / given.max(), np.zeros(members), np.full(members, np.inf)
    low, high = (np.array(ends, dtype=np.float64) for ends in zip(*bounds, strict=True))
    return np.clip(given, low, high), low, high
