"""Trials whose process is gone: given up at once where that can be known, else after a while."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from unprompt._search.owner import Owner
from unprompt._search.storages import notice

if TYPE_CHECKING:
    import optuna

WORKER = "worker"
"""The trial's attribute that says which process runs it."""
STALE = timedelta(minutes=2)
"""A trial takes milliseconds: one that has run for so long belongs to a process that is gone. It is
longer than the 30 s that a journal waits for the lock of a process that was killed."""
UNSIGNED = 5.0
"""Seconds; a trial is signed in the moment in which it begins, so one that has no name for so long
belongs to a process that was killed in that moment."""
_SAID_AFTER = 1.0


class Waiting:
    """What a process does while trials that others are running may be enough."""

    def __init__(
        self, study: optuna.Study, lock: AbstractContextManager[object], *, says: bool
    ) -> None:
        """Nothing is waited for yet.

        Args:
            study: The shared study.
            lock: Held while trials are given up.
            says: Whether to say on stderr what is waited for.
        """
        self._study, self._lock, self._says = study, lock, says
        self._since: dict[int, float] = {}
        self._said: set[int] = set()

    def over(self) -> None:
        """There was a trial to run, maybe as others count no more."""
        if self._since:
            give_up_abandoned(self._study, self._lock)
            self._since.clear()

    def look(self) -> None:
        """Give up what nobody runs any more; say what is waited for when it takes long."""
        now = time.monotonic()
        trials = running(self._study)
        self._since = {trial.number: self._since.get(trial.number, now) for trial in trials}
        ended = [trial for trial in trials if self._nobody_runs(trial, now)]
        give_up(self._study, ended, self._lock)
        for trial in trials:
            waited, number = now - self._since[trial.number], trial.number
            if self._says and trial not in ended and waited > _SAID_AFTER:
                if number not in self._said:
                    notice(_waiting_for(trial))
                self._said.add(number)

    def _nobody_runs(self, trial: optuna.trial.FrozenTrial, now: float) -> bool:
        unsigned = WORKER not in trial.user_attrs and now - self._since[trial.number] > UNSIGNED
        return unsigned or is_gone(trial) or is_stale(trial)


def running(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that have begun and not ended."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def is_gone(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether the process that runs a trial was on this machine and has ended."""
    owner = Owner.parse(trial.user_attrs.get(WORKER))
    return owner is not None and owner.is_gone() is True


def is_stale(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial has run for so long that its process has to be gone, wherever it was."""
    return trial.datetime_start is None or _age(trial) >= STALE


def give_up_abandoned(
    study: optuna.Study,
    lock: AbstractContextManager[object] | None = None,
    *,
    beginning: bool = False,
) -> None:
    """Give up every trial that nobody runs any more, as far as that can be known from here.

    Args:
        study: The shared study.
        lock: Held meanwhile.
        beginning: Whether this process has begun no trial yet: those that it signed are left from
            an earlier search that failed.
    """
    own = str(Owner.of()) if beginning else None
    trials = [
        trial
        for trial in running(study)
        if is_gone(trial) or is_stale(trial) or (own and trial.user_attrs.get(WORKER) == own)
    ]
    give_up(study, trials, lock)


def give_up_unsigned(study: optuna.Study, lock: AbstractContextManager[object]) -> None:
    """Give up trials that begin under a lock and were not signed when it was opened again.

    Args:
        study: The shared study.
        lock: While it is held no process of this machine is between beginning a trial and signing
            it, so that a trial without a name is a dead process's, or another machine's for a
            moment.
    """
    with lock:
        before = {trial.number for trial in running(study) if WORKER not in trial.user_attrs}
        if before:
            time.sleep(1)
            trials = [trial for trial in running(study) if WORKER not in trial.user_attrs]
            give_up(study, [trial for trial in trials if trial.number in before])


def give_up(
    study: optuna.Study,
    trials: Sequence[optuna.trial.FrozenTrial],
    lock: AbstractContextManager[object] | None = None,
) -> None:
    """End trials without a value; what was to be tried first is put back."""
    if not trials:
        return
    with lock or nullcontext():
        for trial in trials:
            end_trial(study, trial.number, None)
            params = trial.system_attrs.get("fixed_params")
            if params and not _is_tried(study, params):
                study.enqueue_trial(params)


def end_trial(study: optuna.Study, trial: optuna.Trial | int, value: float | None) -> None:
    """Finish a trial with its value, or without one; unless others have ended it meanwhile."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    state = TrialState.FAIL if value is None else TrialState.COMPLETE
    with suppress(UpdateFinishedTrialError):
        study.tell(trial, value, state=state, skip_if_finished=True)


def _is_tried(study: optuna.Study, params: dict[str, object]) -> bool:
    """Whether a trial that did not fail has these parameters, or will have them."""
    return any(
        trial.system_attrs.get("fixed_params") == params and trial.state.name != "FAIL"
        for trial in study.get_trials(deepcopy=False)
    )


def _age(trial: optuna.trial.FrozenTrial) -> timedelta:
    """For how long a trial has run, by the clocks of two machines."""
    return datetime.now() - trial.datetime_start if trial.datetime_start else timedelta(0)


def _waiting_for(trial: optuna.trial.FrozenTrial) -> str:
    """What is waited for, and for how long at most."""
    owner = Owner.parse(trial.user_attrs.get(WORKER))
    signed = trial.user_attrs.get(WORKER, "a process that has not named itself")
    who, known = (owner.label, owner.is_gone() is False) if owner else (str(signed), False)
    state = "which runs" if known else "of which nothing can be known from here"
    seconds = max(0, (STALE - _age(trial)).total_seconds())
    return (
        f"search: waiting for trial {trial.number} of {who}, {state}; it is given up in "
        f"{seconds:.0f} seconds"
    )
