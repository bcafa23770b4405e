"""An Optuna study: made or continued, filled up to its number of trials, and read."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from unprompt._search.fingerprint import differences
from unprompt._search.problem import Problem
from unprompt._search.samplers import make_sampler
from unprompt.errors import ConfigError
from unprompt.types import Json

if TYPE_CHECKING:
    import optuna

METRIC = "held-out cosine"
FINGERPRINT = "unprompt"
"""The study's attribute that says what it was made on."""
WORKER = "worker"
STALE = timedelta(minutes=2)
"""A trial takes milliseconds: one that has run for so long belongs to a process that is gone. Longer
than a journal's processes wait (30 s) for the lock of one that was killed while it held it."""
_LAST = 64
"""So many trials before the end, a process alone looks whether others work on the study, too."""


def open_study(
    problem: Problem,
    storage: optuna.storages.BaseStorage,
    name: str,
    fingerprint: Mapping[str, Json],
    shown: str,
) -> optuna.Study:
    """Create a study, or continue one on the same predictions.

    Args:
        problem: For the sampler and what is tried first.
        storage: Where the study lives.
        name: Its name.
        fingerprint: What has to be equal for trials to be comparable; told apart by key.
        shown: The storage's name for error lines.

    Raises:
        ConfigError: The study exists and was made on something else.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
    )
    begun = len(study.get_trials(deepcopy=False))
    study.sampler = make_sampler(problem, begun=begun)
    known = study.user_attrs.get(FINGERPRINT)
    if known is None:
        if begun:
            raise ConfigError(
                f"search.study: {name!r} in {shown} is not a study of unprompt: choose another name"
            )
        study.set_user_attr(FINGERPRINT, dict(fingerprint))
    elif changed := differences(known, fingerprint):
        raise ConfigError(
            f"search.study: {name!r} in {shown} was made with other {', '.join(changed)}: its "
            "trials cannot be compared; choose another name (search.study) or another storage"
        )
    with warnings.catch_warnings():
        # Marked experimental since 3.2; dashboards show this name, so it is worth having.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([METRIC])
    return study


def enqueue(study: optuna.Study, problem: Problem, ensemble: Sequence[float]) -> int:
    """Put what the search block wants first in front, unless the study knows it already.

    Args:
        study: To put it into.
        problem: Members, and what to enqueue.
        ensemble: The weights that the ensemble says, M numbers.

    Returns:
        How many trials come first.
    """
    count = len(problem.members)
    first: list[Sequence[float]] = []
    for what in problem.config.enqueue:
        if what == "equal":
            first.append([1.0] * count)
        elif what == "members":
            first += [[float(i == k) for i in range(count)] for k in range(count)]
        else:
            first.append(ensemble)
    wanted: list[dict[str, Json]] = []
    for weights in first:
        params = problem.params(weights)
        if params not in wanted:
            wanted.append(params)
    for params in wanted:
        study.enqueue_trial(params, skip_if_exists=True)
    return len(wanted)


def fill(
    study: optuna.Study,
    problem: Problem,
    *,
    deadline: float = float("inf"),
    lock: AbstractContextManager[object] | None = None,
    shared: bool = False,
) -> None:
    """Run trials until the study has as many as its search block says.

    Several processes may do this on one storage, on one machine or many: a process begins a trial
    only while finished and running ones are too few, so that none is begun in vain by those that
    share ``lock``, and a trial that turns out to be one too many is given up.

    Args:
        study: To fill.
        problem: What trials choose and are worth.
        deadline: No trial begins after this `time.monotonic`.
        lock: Held while counting and beginning a trial, by all processes of this machine.
        shared: Whether others may need to know whose trial it is, should this process be killed.
    """
    total, near = problem.config.trials, True
    guard = lock or nullcontext()
    while time.monotonic() < deadline:
        with guard if near else nullcontext():
            finished, running = counts(study) if near else (0, 0)
            if finished >= total:
                return
            trial = study.ask() if finished + running < total else None
            if trial is not None and shared:
                trial.set_user_attr(WORKER, whoami())
        if trial is None:
            time.sleep(0.05)  # others are at work; one of them may be gone
            continue
        near = lock is not None or trial.number >= total - _LAST
        if trial.number >= total and not _wanted(study, trial, total):
            study.tell(trial, state=_state("FAIL"))
            continue
        value = problem.value(trial)
        with guard if lock else nullcontext():
            # Held up in the storage, a trial may have been given up for dead and replaced.
            if lock and counts(study)[0] >= total:
                study.tell(trial, state=_state("FAIL"))
            elif not _told(study, trial, value):
                return  # a grid's last point


def counts(study: optuna.Study) -> tuple[int, int]:
    """Trials that are complete, and those that some live process is running."""
    complete, running = _state("COMPLETE"), _state("RUNNING")
    since = datetime.now() - STALE
    trials = study.get_trials(deepcopy=False, states=(complete, running))
    done = sum(trial.state == complete for trial in trials)
    live = sum(
        trial.state == running and (trial.datetime_start or since) > since for trial in trials
    )
    return done, live


def bury(study: optuna.Study, worker: str, lock: AbstractContextManager[object]) -> int:
    """End the trials of a process that is gone; what was to be tried first is put back.

    Args:
        study: The shared study.
        worker: The process, see `whoami`.
        lock: The one of `fill`: while it is held no process of this machine is between beginning
            a trial and signing it, so that a trial without a name is a dead process's, or
            another machine's for a moment.

    Returns:
        How many trials there were.
    """
    with lock:
        nameless = {trial.number for trial in _running(study) if WORKER not in trial.user_attrs}
        if nameless:
            time.sleep(1)
        gone = [
            trial
            for trial in _running(study)
            if trial.user_attrs.get(WORKER) == worker
            or (trial.number in nameless and WORKER not in trial.user_attrs)
        ]
        for trial in gone:
            study.tell(trial.number, state=_state("FAIL"))
            if "fixed_params" in trial.system_attrs:
                study.enqueue_trial(trial.system_attrs["fixed_params"])
    return len(gone)


def _running(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(_state("RUNNING"),))


def whoami(pid: int | None = None) -> str:
    """This process, or another one of this machine."""
    return f"{socket.gethostname()}:{pid or os.getpid()}"


def _wanted(study: optuna.Study, trial: optuna.Trial, total: int) -> bool:
    """Whether trials begun before this one leave room for it; they may all still finish."""
    states = (_state("COMPLETE"), _state("RUNNING"))
    since = datetime.now() - STALE
    before = [
        other
        for other in study.get_trials(deepcopy=False, states=states)
        if other.number < trial.number
        and (other.state == states[0] or (other.datetime_start or since) > since)
    ]
    return len(before) < total


def _told(study: optuna.Study, trial: optuna.Trial, value: float) -> bool:
    """Finish a trial; False where the sampler has nothing left to draw."""
    from optuna.samplers import GridSampler

    try:
        study.tell(trial, value)
    except RuntimeError:
        # A grid stops the loop that Optuna runs for it; this loop is ours. The value is stored.
        if not isinstance(study.sampler, GridSampler):
            raise
        return False
    return not (isinstance(study.sampler, GridSampler) and study.sampler.is_exhausted(study))


def _state(name: str) -> optuna.trial.TrialState:
    from optuna.trial import TrialState

    state: optuna.trial.TrialState = TrialState[name]
    return state
