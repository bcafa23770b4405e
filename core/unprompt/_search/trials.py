"""Run the trials of a study: exactly as many as wanted, whatever processes share it."""

from __future__ import annotations

import os
import socket
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from unprompt._search.problem import Problem

if TYPE_CHECKING:
    import optuna

WORKER = "worker"
"""The trial's attribute that says which process runs it."""
STALE = timedelta(minutes=2)
"""A trial takes milliseconds: one that has run for so long belongs to a process that is gone. It is
longer than the 30 s that a journal waits for the lock of a process that was killed."""
_LAST = 64
"""So many trials before the end, a process alone looks whether others work on the study, too."""


class TrialCounts(NamedTuple):
    """A study's complete trials, and those that some live process is running."""

    finished: int
    running: int


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
    share ``lock``, and a trial that turns out to be one too many is given up. (Optuna's
    ``MaxTrialsCallback`` counts after the fact: four processes finished 103 trials of 100.)

    Args:
        study: To fill.
        problem: What trials choose and are worth.
        deadline: No trial begins after this `time.monotonic`.
        lock: Held while counting and beginning a trial, by all processes of this machine.
        shared: Whether others may need to know whose trial it is, should this process be killed.
    """
    from optuna.trial import TrialState

    total, near_end = problem.config.trials, True
    guard = lock or nullcontext()
    while time.monotonic() < deadline:
        with guard:
            finished, running = count_trials(study) if near_end else (0, 0)
            if finished >= total:
                return
            trial = study.ask() if finished + running < total else None
            if trial is not None and shared:
                trial.set_user_attr(WORKER, worker_id())
        if trial is None:
            time.sleep(0.05)  # others are at work; one of them may be gone
            continue
        near_end = lock is not None or trial.number >= total - _LAST
        # Trials begun before this one may all still finish.
        if trial.number >= total and sum(count_trials(study, before=trial.number)) >= total:
            study.tell(trial, state=TrialState.FAIL)
            continue
        value = problem.value(trial)
        with guard:
            # Held up in the storage, a trial may have been given up for dead and replaced.
            if lock and count_trials(study).finished >= total:
                study.tell(trial, state=TrialState.FAIL)
            elif not _finish(study, trial, value):
                return  # a grid's last point


def count_trials(study: optuna.Study, before: int | None = None) -> TrialCounts:
    """Count a study's trials, or those whose number is below ``before``."""
    from optuna.trial import TrialState

    states, since = (TrialState.COMPLETE, TrialState.RUNNING), datetime.now() - STALE
    finished = running = 0
    for trial in study.get_trials(deepcopy=False, states=states):
        if before is not None and trial.number >= before:
            continue
        if trial.state == TrialState.COMPLETE:
            finished += 1
        elif (trial.datetime_start or since) > since:
            running += 1
    return TrialCounts(finished, running)


def fail_abandoned_trials(
    study: optuna.Study, worker: str, lock: AbstractContextManager[object]
) -> None:
    """End the trials of a process that is gone; what was to be tried first is put back.

    Args:
        study: The shared study.
        worker: The process, see `worker_id`.
        lock: The one of `fill`: while it is held no process of this machine is between beginning
            a trial and signing it, so that a trial without a name is a dead process's, or
            another machine's for a moment.
    """
    from optuna.trial import TrialState

    def running() -> list[optuna.trial.FrozenTrial]:
        return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    with lock:
        unsigned = {trial.number for trial in running() if WORKER not in trial.user_attrs}
        if unsigned:
            time.sleep(1)
        abandoned = [
            trial
            for trial in running()
            if trial.user_attrs.get(WORKER) == worker
            or (trial.number in unsigned and WORKER not in trial.user_attrs)
        ]
        for trial in abandoned:
            study.tell(trial.number, state=TrialState.FAIL)
            if "fixed_params" in trial.system_attrs:
                study.enqueue_trial(trial.system_attrs["fixed_params"])


def worker_id(pid: int | None = None) -> str:
    """The name of this process, or of another one of this machine."""
    return f"{socket.gethostname()}:{pid or os.getpid()}"


def _finish(study: optuna.Study, trial: optuna.Trial, value: float) -> bool:
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
