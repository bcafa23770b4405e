"""An Optuna study: made, or continued on the same predictions, and what it tries first."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unprompt._search.fingerprint import differences
from unprompt._search.problem import Problem
from unprompt._search.samplers import make_sampler
from unprompt.errors import ConfigError
from unprompt.types import PlainData

if TYPE_CHECKING:
    import optuna

METRIC = "held-out cosine"
FINGERPRINT = "unprompt"
"""The study's attribute that says what it was made on."""


def open_study(
    problem: Problem,
    storage: optuna.storages.BaseStorage,
    name: str,
    fingerprint: Mapping[str, PlainData],
    storage_name: str,
) -> optuna.Study:
    """Create a study, or continue one that has the same fingerprint: its trials are comparable.

    Error lines say ``storage_name``, the storage's path or URL without its password.

    Raises:
        ConfigError: The study exists and was made on something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )
    begun = len(study.get_trials(deepcopy=False))
    study.sampler = make_sampler(problem, begun=begun)
    _check_fingerprint(study, fingerprint, f"search.study: {name!r} in {storage_name}")
    with warnings.catch_warnings():
        # Marked experimental since 3.2; dashboards show this name, so it is worth having.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([METRIC])
    return study


def enqueue(study: optuna.Study, problem: Problem, ensemble: Sequence[float]) -> None:
    """Put what the search block wants first in front, unless the study knows it already.

    ``ensemble`` are the weights that the ensemble says, M numbers.
    """
    count = len(problem.members)
    rows: dict[str, Sequence[Sequence[float]]] = {
        "equal": [[1.0] * count],
        "members": [[float(i == k) for i in range(count)] for k in range(count)],
        "ensemble": [ensemble],
    }
    for kind in problem.config.enqueue:
        for weights in rows[kind]:
            study.enqueue_trial(problem.params(weights), skip_if_exists=True)


def _check_fingerprint(
    study: optuna.Study, fingerprint: Mapping[str, PlainData], label: str
) -> None:
    """Set a new study's fingerprint, or compare it with that of a known one."""
    known = study.user_attrs.get(FINGERPRINT)
    if known is None:
        if study.get_trials(deepcopy=False):
            raise ConfigError(f"{label} is not a study of unprompt: choose another name")
        study.set_user_attr(FINGERPRINT, dict(fingerprint))
    elif changed := differences(known, fingerprint):
        raise ConfigError(
            f"{label} was made with other {', '.join(changed)}: its trials cannot be compared; "
            "choose another name (search.study) or another storage"
        )
