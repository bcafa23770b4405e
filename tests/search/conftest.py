"""A small search problem: two members that know something different, and one that knows nothing."""

from __future__ import annotations

import numpy as np

from unprompt import unit
from unprompt._config.search import SearchConfig
from unprompt._scoring.intervals import Intervals
from unprompt._search.objective import GramObjective
from unprompt._search.problem import Problem, Variants

MEMBERS = ("knn", "clip", "noise")


def make_objective(seed: int = 0, count: int = 200) -> GramObjective:
    rng = np.random.default_rng(seed)
    targets = unit(rng.normal(size=(count, 16)))
    members = [unit(targets + rng.normal(size=targets.shape) * s) for s in (0.3, 0.45)]
    return GramObjective.from_predictions(
        np.stack([*members, unit(rng.normal(size=targets.shape))]), targets
    )


def make_problem(**config: object) -> Problem:
    search = SearchConfig.model_validate(config)
    return Problem(make_objective(), MEMBERS, (Variants({}),) * 3, search)


def make_intervals(count: int = 200) -> Intervals:
    return Intervals([f"g{i // 2}" for i in range(count)])
