"""Weights that are judged on images that they were not fitted to."""

from __future__ import annotations

import numpy as np
import pytest

from unprompt import unit
from unprompt._search.cross_fit import cross_fitted_cosines
from unprompt._search.objective import GramObjective
from unprompt._search.polish import polish


def made(count: int, members: int, seed: int) -> GramObjective:
    rng = np.random.default_rng(seed)
    targets = unit(rng.normal(size=(count, 12)))
    rows = [unit(targets + 1.5 * unit(rng.normal(size=targets.shape))) for _ in range(members)]
    return GramObjective.from_predictions(np.stack(rows), targets)


def test_each_fold_is_scored_by_the_weights_of_the_others() -> None:
    objective = made(60, 3, 0)
    folds = [range(20), range(20, 45), range(45, 60)]
    cosines = cross_fitted_cosines(objective, [1.0, 0.5, 0.0], None, folds)
    for fold in folds:
        others = np.setdiff1d(np.arange(60), fold)
        rest = GramObjective(objective.gram[:, others], objective.dots[others]).subset([0, 1])
        weights = polish(rest, [1.0, 0.5]).weights
        expected = objective.subset([0, 1]).cosines(weights)[list(fold)]
        # A score is flat at its optimum: known to 1e-16, it gives weights to the root of that.
        assert cosines[list(fold)] == pytest.approx(expected, abs=1e-7)


def test_weights_that_were_fitted_to_chance_cost_score() -> None:
    costs = []
    for seed in range(30):
        objective = made(40, 6, seed)
        weights = polish(objective, np.ones(6)).weights
        folds = [range(start, start + 10) for start in range(0, 40, 10)]
        refitted = cross_fitted_cosines(objective, weights, None, folds)
        costs.append(float(objective.cosines(weights).mean() - refitted.mean()))
    assert min(costs) >= -1e-9  # the best weights on all images lose nothing to others
    assert np.mean(costs) > 0.001
