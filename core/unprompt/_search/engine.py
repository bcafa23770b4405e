"""The whole search: a study filled, its best trial polished, members that do not help dropped."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unprompt._scoring.intervals import Intervals
from unprompt._search.abandoned import give_up_abandoned
from unprompt._search.drop import ScoredSplit, WeightedMembers, drop_members
from unprompt._search.objective import GramObjective
from unprompt._search.polish import Bounds, polish
from unprompt._search.problem import Problem
from unprompt._search.samplers import grid_notice
from unprompt._search.storages import in_use, label, masked, notice, open_storage
from unprompt._search.study import enqueue, open_study
from unprompt._search.summary import Polish, SearchSummary
from unprompt._search.trials import fill
from unprompt._search.workers import fill_with_workers
from unprompt.errors import DataError
from unprompt.types import PlainData

if TYPE_CHECKING:
    import optuna

DIGITS = 6
"""Of weights."""
_LOSS = 1e-6
"""In mean cosine: what rounding weights may cost."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search gives.

    Attributes:
        weights: One per member, those of the blend: polished, and 0 where one was dropped. The
            largest is 1, unless the search block has bounds.
        searched: The best trial's weights, likewise scaled.
        options: For each member the options that the search chose; empty where none was searched.
        summary: What ``scores.json`` says of the search.
        history: Each finished trial's value, in the order of their numbers.
        importances: How much each parameter tells good trials from others.
    """

    weights: tuple[float, ...]
    searched: tuple[float, ...]
    options: tuple[Mapping[str, PlainData], ...]
    summary: SearchSummary
    history: tuple[float, ...]
    importances: Mapping[str, float]


def search(
    problem: Problem,
    ensemble: Sequence[float],
    fingerprint: Mapping[str, PlainData],
    intervals: Intervals,
    journal: Path,
    name: str,
    *,
    shared: bool = False,
) -> tuple[SearchResult, optuna.Study]:
    """Search weights (and cheap options); deterministic for a seed with one worker.

    Args:
        problem: What trials choose and are worth.
        ensemble: The weights that the ensemble says, M numbers.
        fingerprint: What a continued study has to agree with.
        intervals: Of the holdout; for dropping members, where the search block says so.
        journal: The study's file where the search block names no storage.
        name: The study's name where it names none.
        shared: Whether other commands may fill that journal, too.

    Raises:
        ConfigError: The storage cannot be used, or the study was made on something else.
        OutputError: The storage was locked, full, or could not be reached any more.
        DataError: All workers ended early, or no trial was finished in time.
    """
    config = problem.config
    storage = config.storage or str(journal)
    deadline = time.monotonic() + (config.timeout or float("inf"))
    with in_use(storage):
        opened = open_storage(storage)
        study = open_study(problem, opened, config.study or name, fingerprint, label(storage))
        if line := grid_notice(problem):
            notice(line)
        enqueue(study, problem, ensemble)
        give_up_abandoned(study, beginning=True)
        if config.workers > 1:
            fill_with_workers(study, problem, storage, deadline)
        else:
            fill(study, problem, deadline=deadline, shared=shared or config.storage is not None)
        return _result(study, problem, intervals), study


def _result(study: optuna.Study, problem: Problem, intervals: Intervals) -> SearchResult:
    """The best trial of a study, polished, members dropped where the search block says so."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    history = tuple(trial.value for trial in trials if trial.value is not None)
    if not history:
        raise DataError("search: no trial was finished within search.timeout")
    config, best, best_value = problem.config, study.best_trial, float(study.best_value)
    point = problem.point(best.params)
    objective = problem.objective_at(point)
    bounds: Bounds | None = None
    searched = point.weights
    if config.bounds:
        bounds = [config.weight_bounds(name) for name in problem.members]
    else:
        searched = tuple(weight / max(searched) for weight in searched)
    polished = polish(objective, searched, bounds=bounds)
    weights, dropped = polished.weights, tuple[str, ...]()
    if config.drop_members:
        members = WeightedMembers(problem.members, weights, bounds)
        weights, dropped = drop_members(members, ScoredSplit(objective, intervals))
    summary = SearchSummary(
        trials=len(history),
        best_trial=best.number,
        best_value=best_value,
        sampler=config.sampler,
        study=study.study_name,
        storage=masked(config.storage) if config.storage else None,
        polish=Polish(
            score=polished.score,
            gain=polished.score - best_value,
            distance=_distance(searched, polished.weights),
        ),
        dropped=dropped,
    )
    return SearchResult(
        _rounded(weights, objective, bounds),
        _rounded(searched, objective, bounds),
        problem.options_at(point),
        summary,
        history,
        importances(study),
    )


def importances(study: optuna.Study) -> dict[str, float]:
    """How much each parameter tells good trials from others, largest first; they add up to 1.

    Source: Optuna's default, PED-ANOVA, Watanabe et al. 2023, arXiv 2304.10255. Empty where trials
    are too few, or too alike, to tell.
    """
    import optuna

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # says that all would come out equal
            shares = optuna.importance.get_param_importances(study)
    except (RuntimeError, ValueError, UserWarning):
        return {}
    return {name: float(share) for name, share in shares.items()}


def _rounded(
    weights: Sequence[float], objective: GramObjective, bounds: Bounds | None = None
) -> tuple[float, ...]:
    """Six digits are far below what any holdout can tell apart, and can be read.

    Where a member abstains, the others' weights count by themselves, however small they are beside
    its own: then six significant digits of each are kept.
    """
    largest = max(weights)
    digits = (
        DIGITS if largest >= 0.1 else DIGITS - 1 - math.floor(math.log10(largest))
    )  # within low bounds
    limits = bounds or [(0.0, math.inf)] * len(weights)
    rounded = [
        min(max(round(weight, digits), low), high) if weight else 0.0  # 0: it was dropped
        for weight, (low, high) in zip(weights, limits, strict=True)
    ]
    if objective(weights) - objective(rounded) > _LOSS:
        return tuple(float(f"{weight:.{DIGITS}g}") for weight in weights)
    return tuple(rounded)


def _distance(weights: Sequence[float], others: Sequence[float]) -> float:
    """Half the sum of differences between shares: the share of weight that would have to move."""
    shares = [np.asarray(values) / sum(values) for values in (weights, others)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
