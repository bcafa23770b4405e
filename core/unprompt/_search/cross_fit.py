"""Weights that are fitted without the images that they are judged on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unprompt._search.objective import GramObjective
from unprompt._search.polish import Bounds, polish
from unprompt.types import DoubleArray


def cross_fitted_cosines(
    objective: GramObjective,
    weights: Sequence[float],
    bounds: Bounds | None,
    folds: Sequence[Sequence[int]],
) -> DoubleArray:
    """Each image's cosine under weights that were fitted to the other folds.

    Args:
        objective: M members on N images.
        weights: The start of each fit; members of weight 0 stay out.
        bounds: As `polish` takes them.
        folds: Positions of the images of each fold; together all N, each once.

    Returns:
        float64 of shape (N,).
    """
    used = [index for index, weight in enumerate(weights) if weight > 0]
    start = [weights[index] for index in used]
    limits = None if bounds is None else [bounds[index] for index in used]
    reduced = objective.subset(used)
    cosines = np.empty(len(objective.dots))
    for fold in folds:
        inside = np.zeros(len(cosines), bool)
        inside[list(fold)] = True
        others = GramObjective(reduced.gram[:, ~inside], reduced.dots[~inside])
        own = GramObjective(reduced.gram[:, inside], reduced.dots[inside])
        cosines[inside] = own.cosines(polish(others, start, bounds=limits).weights)
    return cosines
