"""Studies in a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from unprompt import ConfigError
from unprompt._search.engine import search
from unprompt._search.storages import open_storage
from unprompt.errors import OutputError

READ = """\
import sys
import optuna
from unprompt._search.storages import open_storage
study = optuna.load_study(study_name="written", storage=open_storage(sys.argv[1], existing=True))
print(len(study.trials), study.best_value, study.user_attrs)
"""

OPEN = """\
import sys
from unprompt._search.storages import open_storage
print(type(open_storage(sys.argv[1])).__name__)
"""


def fill(url: str, name: str, trials: int) -> float:
    import optuna

    study = optuna.create_study(
        study_name=name,
        storage=open_storage(url),
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    study.set_user_attr("who", "a test")
    study.optimize(lambda trial: -((trial.suggest_float("x", -1, 1) - 0.3) ** 2), trials)
    return float(study.best_value)


def database(url: str, name: str) -> str:
    """A new database of the same server."""
    from sqlalchemy import create_engine, make_url, text

    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'create database "{name}"'))
    engine.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def test_another_process_reads_what_was_written(postgres_url: str) -> None:
    best = fill(postgres_url, "written", 5)
    command = [sys.executable, "-W", "error", "-c", READ, postgres_url]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout == f"5 {best} {{'who': 'a test'}}\n", done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2"])
def test_other_drivers_read_it_too(postgres_url: str, scheme: str) -> None:
    import optuna

    if scheme.endswith("psycopg2"):
        pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    fill(postgres_url, scheme, 3)
    url = postgres_url.replace("postgresql+psycopg:", f"{scheme}:")
    study = optuna.load_study(study_name=scheme, storage=open_storage(url))
    assert len(study.trials) == 3


def test_processes_may_open_an_empty_database_at_once(postgres_url: str) -> None:
    url = database(postgres_url, "fresh")
    command = [sys.executable, "-c", OPEN, url]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(4)]
    assert [process.communicate() for process in processes] == [("RDBStorage\n", "")] * 4
    assert fill(url, "first", 2) <= 0


def test_only_looking_makes_no_tables(postgres_url: str) -> None:
    from sqlalchemy import create_engine, inspect

    url = database(postgres_url, "foreign")
    with pytest.raises(ConfigError, match=r"/foreign: .* it holds no studies of Optuna$"):
        open_storage(url, existing=True)
    engine = create_engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_server_that_stops_in_mid_search_is_one_line(
    start_postgres: Callable[[], AbstractContextManager[str]],
) -> None:
    from ..search.conftest import make_intervals, make_problem

    with start_postgres() as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")

        def stop() -> None:
            """End the connection of the search once it has some trials."""
            with engine.connect() as connection:
                while not ended.is_set():
                    ended.wait(0.1)
                    with suppress(DBAPIError):
                        trials = connection.execute(text("select count(*) from trials"))
                        if trials.scalar_one() > 10:
                            connection.execute(
                                text(
                                    "select pg_terminate_backend(pid) from pg_stat_activity "
                                    "where pid <> pg_backend_pid() and datname = 'postgres'"
                                )
                            )

        ended = threading.Event()
        thread = threading.Thread(target=stop)
        thread.start()
        problem = make_problem(trials=100_000, storage=url, sampler="random")
        try:
            with pytest.raises(OutputError) as caught:
                search(problem, (1, 1, 1), {"split": "s"}, make_intervals(), Path("no"), "s")
        finally:
            ended.set()
            thread.join()
            engine.dispose()
        (line,) = caught.value.problems
        assert line.startswith("postgresql+psycopg://unprompt:**********@127.0.0.1:")
        assert ": the connection was lost (" in line
        assert line.endswith("): run the same command again, which goes on from what is kept")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (":not-a-secret@", ":wrong-one@", 'password authentication failed for user "unprompt"'),
        ("/postgres", "/nowhere", 'database "nowhere" does not exist'),
        ("unprompt:", "nobody:", 'password authentication failed for user "nobody"'),
    ],
)
def test_a_mistake_is_one_line_without_the_password(
    postgres_url: str, old: str, new: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        open_storage(postgres_url.replace(old, new))
    (line,) = caught.value.problems
    assert line.startswith("postgresql+psycopg://") and reason in line
    assert ":**********@127.0.0.1:" in line
    assert not any(word in line for word in ("\n", "not-a-secret", "wrong-one"))


def test_a_server_that_is_gone_is_one_line(
    start_postgres: Callable[[], AbstractContextManager[str]],
) -> None:
    with start_postgres() as url:
        fill(url, "kept", 2)
    started = time.monotonic()
    with pytest.raises(ConfigError, match=r"^postgresql\+psycopg://unprompt:\*{10}@.*refused"):
        open_storage(url)
    assert time.monotonic() - started < 10
