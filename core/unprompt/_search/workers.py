"""Several processes that fill one study."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from unprompt._search.problem import Problem
from unprompt._search.samplers import make_sampler
from unprompt._search.storages import open_storage
from unprompt._search.trials import count_trials, fail_abandoned_trials, fill, worker_id
from unprompt.errors import DataError

if TYPE_CHECKING:
    import filelock
    import optuna

_POLL = 0.001
"""Seconds between two looks at the lock; it is held for about as long."""


def fill_with_workers(study: optuna.Study, problem: Problem, storage: str, deadline: float) -> None:
    """Fill a study with ``search.workers`` processes, each of which opens the storage itself.

    A process that is killed loses the trial that it was running; the others go on to the full
    number, or until the deadline; see `fill`. This process only watches.

    Raises:
        DataError: All processes ended before the study was full.
    """
    context = multiprocessing.get_context("spawn")  # a fork would share connections and threads
    with tempfile.TemporaryDirectory(prefix="unprompt-") as scratch:
        lock = Path(scratch) / "lock"
        seconds = deadline - time.monotonic()
        begun = len(study.get_trials(deepcopy=False))
        workers = [
            context.Process(
                target=_work, args=(problem, study.study_name, storage, (i, begun), lock, seconds)
            )
            for i in range(problem.config.workers)
        ]
        try:
            for worker in workers:
                worker.start()
            exit_codes = _watch(study, workers, _file_lock(lock))
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.join()
    if all(exit_codes) and count_trials(study).finished < problem.config.trials:
        raise DataError(
            f"search: all {len(exit_codes)} workers ended early (exit codes "
            f"{sorted(set(exit_codes))}); run the same command again to go on"
        )


def _watch(
    study: optuna.Study, workers: list[SpawnProcess], lock: filelock.BaseFileLock
) -> list[int]:
    """Wait for all; end the trials of those that are gone. Returns their exit codes."""
    from multiprocessing.connection import wait

    alive = list(workers)
    while alive:
        wait([worker.sentinel for worker in alive])
        for worker in [worker for worker in alive if not worker.is_alive()]:
            alive.remove(worker)
            if worker.exitcode:
                fail_abandoned_trials(study, worker_id(worker.pid), lock)
    return [worker.exitcode or 0 for worker in workers]


def _work(
    problem: Problem, name: str, storage: str, draws: tuple[int, int], lock: Path, seconds: float
) -> None:
    """One process: its own connection, its own sampler.

    It ends with the one that started it: a manager of jobs ends only that one, by a signal that
    leaves no time to pass it on.
    """
    import optuna

    Thread(target=_end_with_parent, daemon=True).start()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = make_sampler(problem, *draws)
    study = optuna.load_study(study_name=name, storage=open_storage(storage), sampler=sampler)
    deadline = time.monotonic() + seconds
    fill(study, problem, deadline=deadline, lock=_file_lock(lock), shared=True)


def _end_with_parent() -> None:
    """Wait for the parent's end; what this process was doing is lost, as where it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # only workers call this
    parent.join()
    os._exit(1)


def _file_lock(path: Path) -> filelock.BaseFileLock:
    """A lock between processes that the system opens again when its holder is killed."""
    from filelock import FileLock

    return FileLock(path, poll_interval=_POLL)
