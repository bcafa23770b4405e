"""Searches whose storage is shared, locked, elsewhere, or was left by a killed command."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from unprompt._search.engine import search
from unprompt._search.storages import in_use, open_storage
from unprompt.errors import OutputError

from ..search.conftest import make_intervals, make_problem

if TYPE_CHECKING:
    import optuna

WritePair = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]


def load(storage: str, name: str) -> optuna.Study:
    import optuna

    return optuna.load_study(study_name=name, storage=open_storage(storage))


# Another direction


@pytest.mark.parametrize("command", ["search", "run"])
@pytest.mark.parametrize(
    ("directions", "what"),
    [("minimize", "minimizes"), ("maximize maximize", "has 2 objectives")],
)
def test_a_study_in_which_the_best_is_not_the_highest_is_refused_before_predicting(
    command: str,
    directions: str,
    what: str,
    unprompt: Command,
    write_pair: WritePair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import optuna

    def predicted(*_: object) -> None:
        raise AssertionError("a member was predicted")

    monkeypatch.setattr(
        f"unprompt._pipeline.{'pipeline' if command == 'run' else 'search'}.predict_members",
        predicted,
    )
    storage = f"sqlite:///{tmp_path}/s.db"
    optuna.create_study(study_name="two", storage=storage, directions=directions.split())  # type: ignore[arg-type]  # of literals
    done = unprompt(command, write_pair(), "--set", f"search.storage={storage}")
    assert done.returncode == 2
    assert done.stderr == (
        f"search.study: 'two' in {storage} {what}, and a search maximizes the held-out cosine: "
        "choose another name (search.study) or another storage\n"
    )


# Relative paths


def test_relative_paths_start_at_the_yaml_file_or_at_the_command(
    unprompt: Command, write_pair: WritePair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, deep = tmp_path / "here", tmp_path / "yaml"
    here.mkdir()
    deep.mkdir()
    monkeypatch.chdir(here)
    path = write_pair().rename(deep / "two.yaml")
    text = path.read_text()

    def stored(*arguments: str) -> str:
        done = unprompt("config", "show", path, *arguments)
        assert done.returncode == 0, done.stderr
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("  storage: ")]
        return str(line.partition(": ")[2])

    for form, wanted in (
        ("rel.x", "FOLDER/rel.x"),
        ("../rel.x", "UP/rel.x"),
        ("journal://rel.x", "FOLDER/rel.x"),
        ("sqlite:///rel.x", "sqlite:///FOLDER/rel.x"),
        ("sqlite+pysqlite:///rel.x", "sqlite+pysqlite:///FOLDER/rel.x"),
        ("sqlite:///file:rel.x?uri=true", "sqlite:///file:FOLDER/rel.x?uri=true"),
        ("sqlite:////abs/rel.x", "sqlite:////abs/rel.x"),
        ("postgresql://host/rel.x", "postgresql://host/rel.x"),
        ("grpc://host:1", "grpc://host:1"),
    ):
        path.write_text(text.replace("seed: 0}\nscore", f"seed: 0, storage: '{form}'}}\nscore"))
        assert stored() == wanted.replace("FOLDER", str(deep)).replace("UP", str(tmp_path))
        here_wanted = wanted.replace("FOLDER", str(here)).replace("UP", str(tmp_path))
        assert stored("--set", f"search.storage={form}") == here_wanted


def test_a_storage_on_the_command_line_is_taken_as_it_is_written(
    unprompt: Command, write_pair: WritePair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in ("a: b, [c] #d é.journal", "true"):  # which would mean something in YAML
        done = unprompt("search", write_pair(), "--quiet", "--storage", name)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == str(here / name)
        assert (here / name).is_file()
    assert unprompt("search", write_pair(), "--storage", "").returncode == 2


@pytest.mark.parametrize("form", ["sqlite:///rel.db", "rel.journal"])
def test_a_runs_dashboard_finds_its_study_from_anywhere(
    form: str,
    unprompt: Command,
    write_pair: WritePair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from unprompt._cli.dashboard import find_studies

    path = write_pair(f"storage: '{form}'")
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 0, done.stderr
    folder = done.stdout.splitlines()[-1]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    storage, _ = find_studies(folder)
    assert len(load(storage, "two").trials) == 12
    assert os.listdir(elsewhere) == []
    assert json.loads(Path(folder, "scores.json").read_text())["search"]["storage"] == storage


@pytest.mark.parametrize("text", ["'a\\0b'", "'~nobody-of-this-name/x'", "'sqlite:///a\\0b'"])
def test_a_storage_that_no_file_can_be_is_one_line(
    text: str, unprompt: Command, write_pair: WritePair
) -> None:
    path = write_pair("storage: " + text.replace("'", '"'))
    done = unprompt("search", path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{path}:15:")
    assert ": search.storage: " in done.stderr
    assert done.stderr.count("\n") == 1


# Locked


class Holder:
    """Holds a SQLite file exclusively, from when a study has some trials."""

    def __init__(self, path: Path, after: int) -> None:
        self.path, self.after, self.done = path, after, threading.Event()
        self.thread = threading.Thread(target=self.hold)
        self.thread.start()

    def hold(self) -> None:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=0.01)
        while not self.done.is_set():
            try:
                count = connection.execute("select count(*) from trials").fetchone()[0]
                if count >= self.after:
                    connection.execute("begin exclusive")
                    self.done.wait(60)
            except sqlite3.Error:
                time.sleep(0.002)
        connection.close()

    def release(self) -> None:
        self.done.set()
        self.thread.join()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_locked_database_is_one_line_and_the_same_command_goes_on(
    workers: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    storage = f"sqlite:///{tmp_path}/s.db"

    def run(trials: int) -> int:
        problem = make_problem(trials=trials, storage=storage, sampler="random", workers=workers)
        result, _ = search(problem, (1, 1, 1), {"split": "s"}, make_intervals(), tmp_path, "s")
        return result.summary.trials

    holder = Holder(tmp_path / "s.db", after=10)
    try:
        with pytest.raises(OutputError) as caught:
            run(20_000)
    finally:
        holder.release()
    line = (
        f"{storage}: locked by another process: run the same command again, which goes on from "
        "what is kept"
    )
    assert caught.value.problems == (line,)
    assert "Traceback" not in capfd.readouterr().err
    finished = sum(trial.value is not None for trial in load(storage, "s").trials)
    assert finished >= 5
    assert run(finished + 3) == finished + 3


def test_a_database_that_is_locked_when_it_is_opened_is_one_line(
    unprompt: Command, write_pair: WritePair, tmp_path: Path
) -> None:
    from ..storages.conftest import write

    storage = f"sqlite:///{tmp_path}/s.db"
    write(storage, 1)
    connection = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    connection.execute("begin exclusive")
    done = unprompt("search", write_pair(f"storage: '{storage}'"))
    connection.close()
    assert done.returncode == 2
    assert done.stderr == (
        f"{storage}: locked by another process: run the same command again, which goes on from "
        "what is kept\n"
    )


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("deadlock detected", "locked by another process: run the same"),
        ("Lock wait timeout exceeded; try restarting transaction", "locked by another process: "),
        ("could not extend file: No space left on device", "the disk is full: make room, then "),
        ("server closed the connection unexpectedly", "the connection was lost (server closed"),
        ("terminating connection due to administrator command", "the connection was lost ("),
        ("(2006, 'MySQL server has gone away')", "the connection was lost ((2006, 'MySQL"),
        ("disk I/O error", "disk I/O error: run the same command again"),
    ],
)
def test_what_databases_say_in_mid_search(said: str, line: str) -> None:
    import optuna
    from sqlalchemy.exc import OperationalError

    def fail() -> None:
        try:
            raise OperationalError("select 1", {}, Exception(f"{said}\nand more of it"))
        except OperationalError as error:
            raise optuna.exceptions.StorageInternalError("invalid data?") from error

    with pytest.raises(OutputError) as caught, in_use("postgresql://me:secret@host/db"):
        fail()
    (problem,) = caught.value.problems
    assert problem.startswith(f"postgresql://me:**********@host/db: {line}")
    assert "run the same command again" in problem


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), in_use("s.journal"):
        _ = 1 / 0


# Killed

KILLED = """\
import sys
from pathlib import Path
from tests.search.conftest import make_intervals, make_problem
from unprompt._search import trials
from unprompt._search.engine import search

def stuck(problem, trial):
    if trial.number == 7:
        print("stuck", flush=True)
        import time
        time.sleep(600)
    return problem.value(trial)

trials._value = stuck
problem = make_problem(trials=10, sampler="random")
search(problem, (1, 1, 1), {"split": "s"}, make_intervals(), Path(sys.argv[1]), "s", shared=True)
"""


def test_the_next_search_does_not_wait_for_the_trial_of_a_killed_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import optuna

    journal = tmp_path / "s.journal"
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-c", KILLED, str(journal)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stuck\n"
        process.send_signal(signal.SIGKILL)
    problem = make_problem(trials=10, sampler="random")
    search(problem, (1, 1, 1), {"split": "s"}, make_intervals(), journal, "s", shared=True)
    assert capsys.readouterr().err == ""  # nothing was waited for
    study = optuna.load_study(study_name="s", storage=open_storage(journal))
    states = [trial.state.name for trial in study.trials]
    assert states == [*["COMPLETE"] * 7, "FAIL", *["COMPLETE"] * 3]
