"""Trials are run up to an exact number, also where processes end or are held up."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from unprompt._search.problem import Problem
from unprompt._search.study import open_study
from unprompt._search.trials import count_trials, fail_abandoned_trials, fill, worker_id

from .conftest import make_problem

if TYPE_CHECKING:
    import optuna


def in_memory(problem: Problem) -> optuna.Study:
    import optuna

    storage = optuna.storages.InMemoryStorage()
    return open_study(problem, storage, "s", {"split": "s"}, "memory")


def test_a_timeout_ends_the_search() -> None:
    problem = make_problem(trials=100_000)
    study = in_memory(problem)
    fill(study, problem, deadline=0.0)
    assert count_trials(study) == (0, 0)


def test_a_trial_too_many_is_given_up() -> None:
    from optuna.trial import TrialState

    problem = make_problem(trials=3)
    study = in_memory(problem)
    fill(study, problem)
    extra = study.ask()  # another process counted before the last trial was finished
    assert extra.number == 3
    study.tell(extra, state=TrialState.FAIL)
    fill(study, problem)
    assert count_trials(study) == (3, 0)
    assert len(study.trials) == 4


def test_a_trial_that_was_replaced_meanwhile_is_not_counted() -> None:
    from threading import Lock

    problem = make_problem(trials=3, sampler="random")
    study = in_memory(problem)

    class Slow(Problem):
        """While it computes its first value, others finish the study."""

        def value(self, trial: optuna.Trial) -> float:
            for _ in range(3 - count_trials(study)[0]):
                study.tell(study.ask(), 0.0)
            return super().value(trial)

    slow = Slow(problem.objective, problem.members, problem.variants, problem.config)
    fill(study, slow, lock=Lock())
    assert count_trials(study) == (3, 0)
    assert [trial.state.name for trial in study.trials].count("FAIL") == 1


def test_trials_of_a_process_that_is_gone_are_ended_and_its_first_one_is_put_back() -> None:
    from optuna.trial import TrialState

    problem = make_problem(trials=8)
    study = in_memory(problem)
    params = problem.params((1, 1, 1))
    study.enqueue_trial(params)
    for owner in (worker_id(1), worker_id(2)):
        study.ask().set_user_attr("worker", owner)
    assert count_trials(study) == (0, 2)
    study.ask()  # killed before it could sign
    fail_abandoned_trials(study, worker_id(1), nullcontext())
    assert [trial.state.name for trial in study.trials].count("FAIL") == 2
    assert count_trials(study) == (0, 1)
    waiting = study.get_trials(states=(TrialState.WAITING,))
    assert [trial.system_attrs["fixed_params"] for trial in waiting] == [params]


def test_a_stale_trial_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    problem = make_problem(trials=4)
    study = in_memory(problem)
    study.ask()  # its process is gone, on a machine that nobody watches
    monkeypatch.setattr("unprompt._search.trials.STALE", timedelta(0))
    fill(study, problem)
    assert count_trials(study)[0] == 4
