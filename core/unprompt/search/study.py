"""An Optuna study over ``weight.<member>`` on the holdout."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt.config.models import SearchConfig
from unprompt.search.objective import GramObjective

if TYPE_CHECKING:
    import optuna

METRIC = "held-out cosine"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        weights: One per member; the largest is 1.
        score: The objective there.
        trials: Trials finished.
        best_trial: The number of the best one.
    """

    weights: tuple[float, ...]
    score: float
    trials: int
    best_trial: int


def search(
    objective: GramObjective, members: Sequence[str], config: SearchConfig, journal: Path, name: str
) -> Found:
    """Search weights in 0..1 with TPE; deterministic for a seed.

    Equal weights and each member alone are always tried first, even where they are more than
    `SearchConfig.trials`, so the result is never worse than the best of them on the holdout.

    Args:
        objective: The held-out score.
        members: The M members' names.
        config: Trials and seed.
        journal: A file that does not exist yet; the study is kept there for optuna-dashboard.
        name: The study's name.
    """
    study = _study(config, journal, name)
    first = _first(len(members))
    for weights in first:
        study.enqueue_trial(dict(zip(_parameters(members), weights, strict=True)))
    study.optimize(_trial(objective, _parameters(members)), n_trials=max(config.trials, len(first)))
    best = study.best_trial
    raw = [float(best.params[name]) for name in _parameters(members)]
    largest = max(raw)
    return Found(
        # Six digits are far below what any holdout can tell apart, and can be read.
        tuple(round(weight / largest, 6) for weight in raw),
        float(study.best_value),
        len(study.trials),
        best.number,
    )


def _study(config: SearchConfig, journal: Path, name: str) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(journal))),
        sampler=optuna.samplers.TPESampler(seed=config.seed),
        study_name=name,
        direction="maximize",
    )
    with warnings.catch_warnings():
        # Marked experimental since 3.2; dashboards show this name, so it is worth having.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([METRIC])
    return study


def _trial(objective: GramObjective, parameters: Sequence[str]) -> Callable[[optuna.Trial], float]:
    def value(trial: optuna.Trial) -> float:
        weights = [trial.suggest_float(name, 0.0, 1.0) for name in parameters]
        # All zero is no blend: the worst cosine, so that it can never be the best trial.
        return objective(weights) if any(weights) else -1.0

    return value


def _parameters(members: Sequence[str]) -> list[str]:
    return [f"weight.{member}" for member in members]


def _first(count: int) -> list[list[float]]:
    """Equal weights, then each member alone."""
    alone = [[float(i == k) for i in range(count)] for k in range(count)]
    return [[1.0] * count, *alone]
