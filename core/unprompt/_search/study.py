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
_OTHER = "choose another name (search.study) or another storage"


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
        ConfigError: The study exists and was made on something else, or for something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )
    if not _has_fingerprint(study, fingerprint, storage_name):
        study.set_user_attr(FINGERPRINT, dict(fingerprint))
    study.sampler = make_sampler(problem, begun=len(study.get_trials(deepcopy=False)))
    with warnings.catch_warnings():
        # Marked experimental since 3.2; dashboards show this name, so it is worth having.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([METRIC])
    return study


def check_study(
    storage: optuna.storages.BaseStorage,
    name: str,
    fingerprint: Mapping[str, PlainData],
    storage_name: str,
) -> None:
    """Find out what would stop a search in a study before anything is predicted; makes nothing.

    Args:
        storage: Where the study is, or will be.
        name: The study's.
        fingerprint: The parts of it that are known before members predict.
        storage_name: For error lines.

    Raises:
        ConfigError: The study exists and was made on something else, or for something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if name not in optuna.get_all_study_names(storage):
        return
    study = optuna.load_study(study_name=name, storage=storage)
    _has_fingerprint(study, fingerprint, storage_name)


def check_directions(study: optuna.Study, storage_name: str) -> None:
    """Refuse a study in which the best trial is not the one with the highest value.

    Raises:
        ConfigError: It minimizes, or has several objectives.
    """
    directions = study.directions
    if len(directions) > 1:
        what = f"has {len(directions)} objectives"
    elif directions[0].name == "MINIMIZE":
        what = "minimizes"
    else:
        return
    raise ConfigError(
        f"{_label(study.study_name, storage_name)} {what}, and a search maximizes the held-out "
        f"cosine: {_OTHER}"
    )


def enqueue(study: optuna.Study, problem: Problem, ensemble: Sequence[float]) -> None:
    """Put what the search block wants first in front, unless the study knows it already.

    ``ensemble`` are the weights that the ensemble says, M numbers; all 0 where only members that
    take no part in the search have weight.
    """
    count = len(problem.members)
    rows: dict[str, Sequence[Sequence[float]]] = {
        "equal": [[1.0] * count],
        "members": [[float(i == k) for i in range(count)] for k in range(count)],
        "ensemble": [ensemble] if any(ensemble) else [],
    }
    for kind in problem.config.enqueue:
        for weights in rows[kind]:
            study.enqueue_trial(problem.params(weights), skip_if_exists=True)


def _label(name: str, storage_name: str) -> str:
    return f"search.study: {name!r} in {storage_name}"


def _has_fingerprint(
    study: optuna.Study, fingerprint: Mapping[str, PlainData], storage_name: str
) -> bool:
    """Whether a study was made before, on the same; False for one that is empty.

    Args:
        study: As it is in its storage.
        fingerprint: Of now, or a part of it: other parts are not compared.
        storage_name: For error lines.
    """
    known = study.user_attrs.get(FINGERPRINT)
    label = _label(study.study_name, storage_name)
    is_empty = known is None and not study.get_trials(deepcopy=False)
    if not is_empty and not isinstance(known, dict):
        raise ConfigError(f"{label} is not a study of unprompt: {_OTHER}")
    check_directions(study, storage_name)
    if not isinstance(known, dict):
        return False
    compared = (
        known if "predictions" in fingerprint else {key: known.get(key) for key in fingerprint}
    )
    if changed := differences(compared, fingerprint):
        raise ConfigError(
            f"{label} was made with other {', '.join(changed)}: its trials cannot be compared; "
            f"{_OTHER}"
        )
    return True
