"""Several processes that fill one study."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from unprompt._search.abandoned import give_up_abandoned, give_up_unsigned
from unprompt._search.problem import Problem
from unprompt._search.samplers import is_grid_done, make_sampler
from unprompt._search.scratch import scratch_folder
from unprompt._search.storages import in_use, label, notice, open_storage
from unprompt._search.study import check_directions
from unprompt._search.trials import count_trials, fill
from unprompt.errors import DataError, OutputError, UnpromptError

if TYPE_CHECKING:
    import filelock
    import optuna

_POLL = 0.001
"""Seconds between two looks at the lock; it is held for about as long."""

_LETTING_GO = 5.0
"""Seconds in which a process that is ended may let go of its locks."""


def fill_with_workers(study: optuna.Study, problem: Problem, storage: str, deadline: float) -> None:
    """Fill a study with ``search.workers`` processes, each of which opens the storage itself.

    A process that is killed loses the trial that it was running; the others go on to the full
    number, or until the deadline; see `fill`. This process only looks on.

    Raises:
        OutputError: A process could not use the storage any more, and the study is not full.
        DataError: All processes ended before the study was full.
    """
    context = multiprocessing.get_context("spawn")  # a fork would share connections and threads
    with scratch_folder() as scratch:
        lock = scratch / "lock"
        seconds = deadline - time.monotonic()
        begun = len(study.get_trials(deepcopy=False))
        workers: list[SpawnProcess] = []
        mistakes: list[Connection] = []
        try:
            for i in range(problem.config.workers):
                mistake, sender = context.Pipe(duplex=False)
                task = (problem, study.study_name, storage, (i, begun), lock, seconds, sender)
                worker = context.Process(target=_work, args=task)
                worker.start()
                sender.close()  # so that the pipe ends with the process
                workers.append(worker)
                mistakes.append(mistake)
            exit_codes = _look_on(study, workers, _file_lock(lock))
            lines = [line for mistake in mistakes for line in _received(mistake)]
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.join(_LETTING_GO)
                worker.kill()  # one that has ended is left alone
                worker.join()
            for mistake in mistakes:
                mistake.close()
    _judge(study, problem, exit_codes, lines)


def _judge(
    study: optuna.Study, problem: Problem, exit_codes: Sequence[int], lines: Sequence[str]
) -> None:
    """Say what ended processes early; an error where that left the study unfinished."""
    finished = count_trials(study).finished
    if finished >= problem.config.trials or is_grid_done(study):
        return
    unique = list(dict.fromkeys(lines))
    if all(exit_codes) and unique:
        raise OutputError(unique)
    if all(exit_codes):
        raise DataError(
            f"search: all {len(exit_codes)} workers ended early (exit codes "
            f"{sorted(set(exit_codes))}); run the same command again to go on"
        )
    for line in unique:  # the others went on until the deadline
        notice(line)


def _look_on(
    study: optuna.Study, workers: list[SpawnProcess], lock: filelock.BaseFileLock
) -> list[int]:
    """Wait for all; end the trials of those that are gone. Returns their exit codes."""
    alive = list(workers)
    while alive:
        wait([worker.sentinel for worker in alive])
        for worker in [worker for worker in alive if not worker.is_alive()]:
            alive.remove(worker)
            if worker.exitcode:
                give_up_abandoned(study, lock)
                give_up_unsigned(study, lock)
    return [worker.exitcode or 0 for worker in workers]


def _received(mistake: Connection) -> Sequence[str]:
    """The lines that a process left when it ended early; none where it was killed."""
    try:
        lines: Sequence[str] = mistake.recv() if mistake.poll() else ()
    except (EOFError, OSError):
        return ()
    return lines


def _work(
    problem: Problem,
    name: str,
    storage: str,
    draws: tuple[int, int],
    lock: Path,
    seconds: float,
    mistakes: Connection,
) -> None:
    """One process: its own connection, its own sampler.

    It ends with the one that started it: a manager of jobs ends only that one, by a signal that
    leaves no time to pass it on.
    """
    import optuna

    # In order, so that the journal's lock goes, too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    Thread(target=_end_with_parent, daemon=True).start()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    deadline = time.monotonic() + seconds
    try:
        with in_use(storage):
            sampler = make_sampler(problem, *draws)
            opened = open_storage(storage)
            study = optuna.load_study(study_name=name, storage=opened, sampler=sampler)
            check_directions(study, label(storage))
            guard = _file_lock(lock)
            fill(study, problem, deadline=deadline, lock=guard, shared=True, says=draws[0] == 0)
    except UnpromptError as error:
        mistakes.send(error.problems)
        raise SystemExit(1) from None


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
