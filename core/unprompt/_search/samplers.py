"""Optuna's samplers by the names of the ``search`` block."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from unprompt._search.problem import Choice, Problem

if TYPE_CHECKING:
    import optuna

MOST_POINTS = 100_000
"""Of a grid, which Optuna makes before the first trial."""


def make_sampler(problem: Problem, worker: int = 0, begun: int = 0) -> optuna.samplers.BaseSampler:
    """The sampler that the search block names.

    Args:
        problem: Its search block, and its parameters for a grid.
        worker: Number of the process; each draws differently.
        begun: Trials that the study has already: who continues draws others than those.
    """
    import optuna

    # Large primes, so that no two processes and no two beginnings share a seed in practice.
    seed = (problem.config.seed + 1_000_003 * worker + 7_368_787 * begun) % 2**32
    kind = problem.config.sampler
    with warnings.catch_warnings():
        # Some of these are marked experimental; that they may change is the lock file's concern.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if kind == "grid":
            return _grid_sampler(problem, seed)
        if kind == "qmc":
            # Workers walk one sequence together: the storage counts it, the seed has to be one.
            return optuna.samplers.QMCSampler(
                seed=problem.config.seed % 2**32, scramble=True, warn_independent_sampling=False
            )
        if kind == "gp":
            return optuna.samplers.GPSampler(seed=seed, warn_independent_sampling=False)
        if kind == "cmaes":
            return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        if kind == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        return optuna.samplers.TPESampler(seed=seed)


def grid_of(problem: Problem) -> dict[str, list[Choice]]:
    """Every choice of options, and as many even steps of weights as trials allow, at least 2."""
    grid = problem.choices()
    points = min(problem.config.trials, MOST_POINTS) // math.prod(map(len, grid.values()))
    steps = max(2, int(points ** (1 / len(problem.members)) + 1e-9))
    for member in problem.members:
        weights = np.unique(np.linspace(*problem.weight_range(member), steps))
        grid[f"weight.{member}"] = [float(weight) for weight in weights]
    return grid


def grid_notice(problem: Problem) -> str | None:
    """What to know of a grid before it is searched; None where every trial is one of its points."""
    if problem.config.sampler != "grid":
        return None
    points = math.prod(map(len, grid_of(problem).values()))
    trials = problem.config.trials
    if points < trials:
        return (
            f"search: the grid's size is {points}: the study ends when all its points are tried, "
            f"with the trials that come first (search.enqueue), though search.trials is {trials}"
        )
    if points > trials:
        return (
            f"search: the grid's size is {points}, with 2 values of each weight at least: "
            f"search.trials {trials} does not try all its points"
        )
    return None


def is_grid_done(study: optuna.Study) -> bool:
    """Whether all points of a grid are tried and nothing waits to be tried; False without one."""
    from optuna.samplers import GridSampler
    from optuna.trial import TrialState

    sampler = study.sampler
    if not isinstance(sampler, GridSampler) or not sampler.is_exhausted(study):
        return False
    return not study.get_trials(deepcopy=False, states=(TrialState.WAITING,))


def _grid_sampler(problem: Problem, seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's, without its end: it stops the loop that Optuna runs for it, and ours is not that.

    It would also fail where a trial that was enqueued is finished last.
    """
    import optuna

    class Grid(optuna.samplers.GridSampler):
        def after_trial(self, *_: object) -> None:
            """See `is_grid_done`."""

    return Grid(grid_of(problem), seed=seed)
