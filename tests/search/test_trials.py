"""Trials are run up to an exact number, also where processes end or are held up."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from unprompt._search.abandoned import WORKER, give_up_abandoned, give_up_unsigned
from unprompt._search.owner import Owner
from unprompt._search.problem import Problem
from unprompt._search.study import open_study
from unprompt._search.trials import count_trials, fill

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


def test_a_trial_that_others_gave_up_meanwhile_is_run_by_somebody_else() -> None:
    from optuna.trial import TrialState

    problem = make_problem(trials=3, sampler="random")
    study = in_memory(problem)

    class HeldUp(Problem):
        """Others give its first trial up before it has suggested anything."""

        def value(self, trial: optuna.Trial) -> float:
            if trial.number == 0:
                study.tell(trial.number, state=TrialState.FAIL)
            return super().value(trial)

    fill(study, HeldUp(problem.objective, problem.members, problem.variants, problem.config))
    assert count_trials(study) == (3, 0)
    assert [trial.state.name for trial in study.trials] == ["FAIL", *["COMPLETE"] * 3]


def dead_owner() -> str:
    """A process of this machine that has ended."""
    program = "from unprompt._search.owner import Owner; print(Owner.of())"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return done.stdout.decode().strip()


def test_trials_of_a_process_that_is_gone_are_ended_and_its_first_one_is_put_back() -> None:
    from optuna.trial import TrialState

    problem = make_problem(trials=8)
    study = in_memory(problem)
    params = problem.params((1, 1, 1))
    study.enqueue_trial(params)
    for owner in (dead_owner(), str(Owner.of())):
        study.ask().set_user_attr(WORKER, owner)
    assert count_trials(study) == (0, 2)
    give_up_abandoned(study)
    give_up_abandoned(study)  # as another process does at the same time
    assert [trial.state.name for trial in study.trials] == ["FAIL", "RUNNING", "WAITING"]
    waiting = study.get_trials(states=(TrialState.WAITING,))
    assert [trial.system_attrs["fixed_params"] for trial in waiting] == [params]


def test_a_trial_whose_process_was_killed_before_it_could_sign() -> None:
    study = in_memory(make_problem(trials=8))
    study.ask()
    study.ask().set_user_attr(WORKER, str(Owner.of()))
    give_up_unsigned(study, nullcontext())
    assert [trial.state.name for trial in study.trials] == ["FAIL", "RUNNING"]


def test_a_search_does_not_wait_for_a_process_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = make_problem(trials=4)
    study = in_memory(problem)
    study.ask().set_user_attr(WORKER, dead_owner())
    monkeypatch.setattr("unprompt._search.abandoned._SAID_AFTER", -1.0)
    fill(study, problem)
    assert count_trials(study) == (4, 0)
    assert study.trials[0].state.name == "FAIL"
    assert capsys.readouterr().err == ""


def test_a_trial_of_another_machine_is_said_to_be_waited_for_until_it_is_stale(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from datetime import timedelta

    problem = make_problem(trials=4)
    study = in_memory(problem)
    study.ask().set_user_attr(WORKER, str(Owner("far", "0123456789ab", "77", 4711)))
    monkeypatch.setattr("unprompt._search.abandoned._SAID_AFTER", 0.0)
    monkeypatch.setattr("unprompt._search.abandoned.STALE", timedelta(seconds=2))
    fill(study, problem)
    assert count_trials(study) == (4, 0)
    assert study.trials[0].state.name == "FAIL"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("search: waiting for trial 0 of process 4711 on far, of which nothing ")
    assert line.rpartition("; ")[2] in (
        "it is given up in 2 seconds",
        "it is given up in 1 seconds",
    )


def test_a_stale_trial_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    problem = make_problem(trials=4)
    study = in_memory(problem)
    study.ask()  # its process is gone, on a machine that nobody watches
    monkeypatch.setattr("unprompt._search.abandoned.STALE", timedelta(0))
    fill(study, problem)
    assert count_trials(study)[0] == 4
