"""Run the trials of a study: exactly as many as wanted, whatever processes share it."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from unprompt._search.abandoned import WORKER, Waiting, end_trial, is_stale
from unprompt._search.owner import Owner
from unprompt._search.problem import Problem
from unprompt._search.samplers import is_grid_done

if TYPE_CHECKING:
    import optuna

_LAST = 64
"""So many trials before the end, a process alone looks whether others work on the study, too."""
_NAP = 0.05


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
    says: bool = True,
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
        says: Whether to say on stderr what is waited for.
    """
    turns = _Turns(study, problem.config.trials, lock, shared)
    waiting = Waiting(study, lock or nullcontext(), says=says)
    while time.monotonic() < deadline:
        with turns.guard:
            if turns.is_full():
                return
            trial = turns.begin()
        if trial is None:
            waiting.look()
            time.sleep(_NAP)
            continue
        waiting.over()
        value = None if turns.is_one_too_many(trial) else _value(problem, trial)
        with turns.guard:
            turns.finish(trial, None if turns.was_replaced() else value)


class _Turns:
    """Begins and ends the trials of one process, so that all processes together finish `total`."""

    def __init__(
        self,
        study: optuna.Study,
        total: int,
        lock: AbstractContextManager[object] | None,
        shared: bool,
    ) -> None:
        self.guard: AbstractContextManager[object] = lock or nullcontext()
        self._study, self._total, self._shared = study, total, shared
        self._has_company = lock is not None
        self._counts, self._counting = TrialCounts(0, 0), True

    def is_full(self) -> bool:
        """Whether the study has its trials, or all that its sampler can draw.

        A process alone counts only near the end.
        """
        if self._counting:
            self._counts = count_trials(self._study)
        return self._counts.finished >= self._total or is_grid_done(self._study)

    def begin(self) -> optuna.Trial | None:
        """The next trial, signed; None where those that others are running may be enough."""
        if self._counting and sum(self._counts) >= self._total:
            return None
        trial = self._study.ask()
        if self._shared:
            trial.set_user_attr(WORKER, str(Owner.of()))
        self._counting = self._has_company or trial.number >= self._total - _LAST
        return trial

    def is_one_too_many(self, trial: optuna.Trial) -> bool:
        """Whether trials that another machine began in the same moment may all still finish."""
        before = trial.number
        return before >= self._total and sum(count_trials(self._study, before)) >= self._total

    def was_replaced(self) -> bool:
        """Whether this process was held up for so long that others gave its trial up for dead."""
        return self._has_company and count_trials(self._study).finished >= self._total

    def finish(self, trial: optuna.Trial, value: float | None) -> None:
        """Finish a trial with its value, or give it up."""
        end_trial(self._study, trial, value)


def _value(problem: Problem, trial: optuna.Trial) -> float | None:
    """What a trial is worth; None where others have given it up for dead meanwhile."""
    from optuna.exceptions import UpdateFinishedTrialError

    try:
        return problem.value(trial)
    except UpdateFinishedTrialError:
        return None


def count_trials(study: optuna.Study, before: int | None = None) -> TrialCounts:
    """Count a study's trials, or those whose number is below ``before``."""
    from optuna.trial import TrialState

    states = (TrialState.COMPLETE, TrialState.RUNNING)
    finished = running = 0
    for trial in study.get_trials(deepcopy=False, states=states):
        if before is not None and trial.number >= before:
            continue
        if trial.state == TrialState.COMPLETE:
            finished += 1
        elif not is_stale(trial):
            running += 1
    return TrialCounts(finished, running)
