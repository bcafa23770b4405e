"""Several processes on one study: exact numbers, also where some of them are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unprompt._search.abandoned import WORKER
from unprompt._search.engine import search
from unprompt._search.storages import open_storage
from unprompt._search.storages.journal_lock import JournalLock
from unprompt.errors import DataError

from ..search.conftest import make_intervals, make_problem

if TYPE_CHECKING:
    import optuna

pytestmark = pytest.mark.slow

TRIALS = 400


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials(deepcopy=False)]


def kill_some(storage: str, name: str, count: int, after: int) -> threading.Thread:
    """Kill ``count`` of the processes that work on a study, once it has ``after`` trials."""

    import optuna

    def watch() -> None:
        killed: set[int] = set()
        deadline = time.monotonic() + 300
        while len(killed) < count and time.monotonic() < deadline:
            time.sleep(0.2)
            try:
                study = optuna.load_study(study_name=name, storage=open_storage(storage))
            except (KeyError, OSError):
                continue
            done = states(study).count("COMPLETE")
            if done >= TRIALS:
                return  # the machine was too busy to kill them in time
            pids = workers_of(storage, name) - killed
            if done >= after * (len(killed) + 1) and pids:
                pid = min(pids)
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def fill_with_four(storage: str, folder: Path, kill: int = 0) -> optuna.Study:
    name = folder.name  # one database serves every test
    problem = make_problem(trials=TRIALS, workers=4, storage=storage, sampler="random")
    killer = kill_some(storage, name, kill, after=60) if kill else None
    _, study = search(problem, (1, 1, 1), {"split": "s"}, make_intervals(), folder / "no", name)
    if killer:
        killer.join()
    return study


def check(study: optuna.Study, killed: int) -> None:
    ended = states(study)
    assert ended.count("COMPLETE") == TRIALS
    assert "RUNNING" not in ended
    assert ended.count("FAIL") <= killed  # at most the trial that each was running
    workers = {trial.user_attrs.get(WORKER) for trial in study.trials if trial.values}
    assert len(workers) > 1  # how many get a turn before others have done it all is chance


def test_four_workers_fill_one_journal_exactly(tmp_path: Path) -> None:
    check(fill_with_four(str(tmp_path / "study.journal"), tmp_path), killed=0)


def test_two_killed_workers_lose_at_most_their_running_trials(tmp_path: Path) -> None:
    check(fill_with_four(str(tmp_path / "study.journal"), tmp_path, kill=2), killed=2)


def test_four_workers_fill_one_postgresql_exactly(postgres_url: str, tmp_path: Path) -> None:
    check(fill_with_four(postgres_url, tmp_path), killed=0)


def test_two_killed_workers_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    check(fill_with_four(postgres_url, tmp_path, kill=2), killed=2)


def test_killing_all_workers_is_one_clear_line(tmp_path: Path) -> None:
    storage = str(tmp_path / "study.journal")
    problem = make_problem(trials=100_000, workers=2, storage=storage, sampler="random")
    killer = kill_some(storage, "shared", 2, after=5)
    with pytest.raises(DataError, match=r"^search: all 2 workers ended early \(exit codes \[-9\]"):
        search(problem, (1, 1, 1), {"split": "s"}, make_intervals(), tmp_path / "no", "shared")
    killer.join()


def test_workers_go_on_where_others_were_killed_in_the_middle_of_a_line(tmp_path: Path) -> None:
    storage = tmp_path / "study.journal"
    name = tmp_path.name
    problem = make_problem(trials=20, storage=str(storage), sampler="random")
    search(problem, (1, 1, 1), {"split": "s"}, make_intervals(), tmp_path / "no", name)
    done = threading.Event()

    def spoil() -> None:
        """Cut lines, as somebody leaves them who was killed while holding the lock."""
        while not done.wait(0.3):
            with JournalLock(storage).held(), storage.open("ab") as file:
                file.write(b'{"op_code":6,"worker_id":"kil')

    spoiler = threading.Thread(target=spoil)
    spoiler.start()
    try:
        check(fill_with_four(str(storage), tmp_path), killed=0)
    finally:
        done.set()
        spoiler.join()
    whole = storage.read_bytes().rpartition(b"\n")[0]
    assert all(line.endswith(b"}") for line in whole.splitlines())


ORPHANS = """\
import sys
from pathlib import Path
from tests.search.conftest import make_intervals, make_problem
from unprompt._search.engine import search
if __name__ == "__main__":
    problem = make_problem(trials=100_000, workers=2, storage=sys.argv[1], sampler="random")
    search(problem, (1, 1, 1), {"split": "s"}, make_intervals(), Path("no"), "shared")
"""


@pytest.mark.parametrize("orderly", [False, True])
def test_workers_end_with_the_command_that_a_job_manager_ends(
    orderly: bool, tmp_path: Path
) -> None:
    storage = tmp_path / "study.journal"
    script = tmp_path / "orphans.py"
    guarded = "from unprompt._cli.console import guarded\n"
    as_command = ORPHANS.replace("    search(", "    with guarded():\n        search(")
    script.write_text(guarded + as_command if orderly else ORPHANS)
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = subprocess.Popen([sys.executable, str(script), str(storage)], env=environment)
    pids: set[int] = set()
    deadline = time.monotonic() + 60
    while len(pids) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
        pids = workers_of(str(storage), "shared") if storage.exists() else set()
    command.terminate()
    assert command.wait(timeout=30) == (128 + signal.SIGTERM if orderly else -signal.SIGTERM)
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)
    assert not orderly or not Path(f"{storage}.lock").exists()


def workers_of(storage: str, name: str) -> set[int]:
    """The processes that have signed a trial of a study."""
    import optuna

    try:
        study = optuna.load_study(study_name=name, storage=open_storage(storage))
    except KeyError:
        return set()
    owners = {trial.user_attrs.get(WORKER) for trial in study.get_trials(deepcopy=False)} - {None}
    return {int(str(owner).rpartition(":")[2]) for owner in owners}


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
