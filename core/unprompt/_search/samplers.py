"""Optuna's samplers by the names of the ``search`` block."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from unprompt._search.problem import Choice, Problem

if TYPE_CHECKING:
    import optuna


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
            return optuna.samplers.GridSampler(_grid(problem), seed=seed)
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


def _grid(problem: Problem) -> dict[str, list[Choice]]:
    """Every choice of options, and as many even steps of weights as trials allow, at least 2."""
    grid = problem.choices()
    points = problem.config.trials // math.prod(map(len, grid.values()))
    steps = max(2, int(points ** (1 / len(problem.members)) + 1e-9))
    for member in problem.members:
        weights = np.unique(np.linspace(*problem.weight_range(member), steps))
        grid[f"weight.{member}"] = [float(weight) for weight in weights]
    return grid
