"""The whole search: a study filled, its best trial polished, members that do not help dropped."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unprompt.errors import DataError
from unprompt.search.drop import prune
from unprompt.search.objective import GramObjective
from unprompt.search.polish import polish
from unprompt.search.problem import Point, Problem
from unprompt.search.storages import masked, open_storage
from unprompt.search.study import enqueue, fill, open_study
from unprompt.search.workers import fill_together
from unprompt.types import Json

if TYPE_CHECKING:
    import optuna

Bounds = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Judge:
    """What decides whether a member helps.

    Attributes:
        groups: The group of each held-out picture.
        samples: Bootstrap resamples.
        seed: Of the bootstrap.
    """

    groups: Sequence[str]
    samples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        weights: One per member, those of the blend: polished, and 0 where one was dropped. The
            largest is 1, unless the search block has bounds.
        searched: The best trial's weights, likewise scaled.
        point: The best trial's variants and weights.
        options: For each member the options that the search chose; empty where none was searched.
        score: The held-out cosine of `weights`.
        best_value: That of the best trial.
        best_trial: Its number.
        trials: Finished trials of the study.
        dropped: Members that were dropped, the least useful first.
        summary: What ``scores.json`` says of the study.
        history: Each finished trial's value, in the order of their numbers.
        importances: How much each parameter tells good trials from others.
    """

    weights: tuple[float, ...]
    searched: tuple[float, ...]
    point: Point
    options: tuple[Mapping[str, Json], ...]
    score: float
    best_value: float
    best_trial: int
    trials: int
    dropped: tuple[str, ...] = ()
    summary: Mapping[str, Json] = field(default_factory=dict)
    history: tuple[float, ...] = ()
    importances: Mapping[str, float] = field(default_factory=dict)


def search(
    problem: Problem,
    ensemble: Sequence[float],
    fingerprint: Mapping[str, Json],
    judge: Judge,
    journal: Path,
    name: str,
) -> tuple[Found, optuna.Study]:
    """Search weights (and cheap options); deterministic for a seed with one worker.

    Args:
        problem: What trials choose and are worth.
        ensemble: The weights that the ensemble says, M numbers.
        fingerprint: What a continued study has to agree with.
        judge: For dropping members, where the search block says so.
        journal: The study's file where the search block names no storage.
        name: The study's name where it names none.

    Raises:
        ConfigError: The storage cannot be used, or the study was made on something else.
        DataError: All workers ended early, or no trial was finished in time.
    """
    config = problem.config
    where = config.storage or str(journal)
    deadline = time.monotonic() + (config.timeout or float("inf"))
    storage = open_storage(where)
    study = open_study(problem, storage, config.study or name, fingerprint, masked(where))
    enqueue(study, problem, ensemble)
    if config.workers > 1:
        fill_together(study, problem, where, deadline)
    else:
        fill(study, problem, deadline=deadline, shared=config.storage is not None)
    return read(study, problem, judge), study


def read(study: optuna.Study, problem: Problem, judge: Judge) -> Found:
    """The best trial of a study, polished, and pruned where the search block says so.

    Raises:
        DataError: The study has no finished trial.
    """
    if not _complete(study):
        raise DataError("search: no trial was finished within search.timeout")
    best = study.best_trial
    point = problem.point(best.params)
    objective = problem.at(point)
    bounds: Bounds | None = None
    if problem.config.bounds:
        bounds = [problem.range(name) for name in problem.members]
    searched = point.weights if bounds else _scaled(point.weights)
    polished = polish(objective, searched, bounds=bounds)
    weights: tuple[float, ...] = polished.weights
    dropped: tuple[str, ...] = ()
    if problem.config.prune:
        weights, dropped = _pruned(problem, objective, weights, judge, bounds)
    values = [trial.value for trial in _complete(study) if trial.value is not None]
    options = [
        one.options()[number] for one, number in zip(problem.variants, point.variants, strict=True)
    ]
    summary: dict[str, Json] = {
        "trials": len(values),
        "best_trial": best.number,
        "best_value": float(study.best_value),
        "sampler": problem.config.sampler,
        "study": study.study_name,
        "storage": masked(problem.config.storage) if problem.config.storage else None,
        "polish": {
            "score": polished.score,
            "gain": polished.score - float(study.best_value),
            "distance": _distance(searched, polished.weights),
        },
        "dropped": list(dropped),
    }
    return Found(
        # Six digits are far below what any holdout can tell apart, and can be read.
        tuple(round(weight, 6) for weight in weights),
        tuple(round(weight, 6) for weight in searched),
        point,
        tuple(options),
        objective(weights),
        float(study.best_value),
        best.number,
        len(values),
        dropped,
        summary,
        tuple(values),
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
            found = optuna.importance.get_param_importances(study)
    except (RuntimeError, ValueError, UserWarning):
        return {}
    return {name: float(share) for name, share in found.items()}


def _pruned(
    problem: Problem,
    objective: GramObjective,
    weights: Sequence[float],
    judge: Judge,
    bounds: Bounds | None,
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Weights with 0 for members that were dropped, and their names."""
    kept, left, dropped = prune(
        objective,
        weights,
        judge.groups,
        problem.members,
        samples=judge.samples,
        seed=judge.seed,
        bounds=bounds,
    )
    found = dict(zip(kept, left, strict=True))
    return tuple(found.get(name, 0.0) for name in problem.members), tuple(dropped)


def _complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _scaled(weights: Sequence[float]) -> tuple[float, ...]:
    return tuple(weight / max(weights) for weight in weights)


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Half the sum of differences between shares: the share of weight that would have to move."""
    shares = [np.asarray(weights) / sum(weights) for weights in (one, other)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
