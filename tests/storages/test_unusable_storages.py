"""A storage that cannot be used is one clear line, soon, without passwords."""

from __future__ import annotations

import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unprompt import ConfigError
from unprompt._search.storages import label, open_storage

from .conftest import free_port, write


@pytest.fixture
def mistake(folder: Path) -> Callable[..., str]:
    """Open a storage that cannot be opened; gives the one line."""

    def fail(storage: str | Path, *, existing: bool = False) -> str:
        before, started = sorted(folder.rglob("*")), time.monotonic()
        with pytest.raises(ConfigError) as caught:
            open_storage(storage, existing=existing)
        (line,) = caught.value.problems
        assert time.monotonic() - started < 10
        assert line.startswith(f"{label(storage)}:")
        assert "\n" not in line and "secret" not in line
        assert sorted(folder.rglob("*")) == before
        return line

    return fail


def test_unknown_kinds_list_the_known_ones(mistake: Callable[..., str]) -> None:
    line = mistake("postgres://me:secret@host/db")
    assert line.startswith(
        "postgres://me:**********@host/db: unknown kind of storage 'postgres'; known"
    )
    for kind in ("a path", "journal://PATH", "sqlite:///FILE", "postgresql://", "grpc://HOST:PORT"):
        assert kind in line
    assert "unknown kind of storage 'redis'" in mistake("redis://host")


@pytest.mark.parametrize("prefix", ["", "journal://", "sqlite:///"])
def test_files_that_cannot_be(folder: Path, prefix: str, mistake: Callable[..., str]) -> None:
    assert mistake(f"{prefix}no/study").endswith(f"the folder {folder / 'no'} does not exist")
    (folder / "folder").mkdir()
    assert mistake(f"{prefix}folder").endswith(": a folder, not a file")
    assert mistake(f"{prefix}{'x' * 300}").endswith(": file name too long")
    assert mistake(f"{prefix}study", existing=True).endswith(": there is no such file")


def test_an_argument_that_sqlite_does_not_take(mistake: Callable[..., str], folder: Path) -> None:
    line = mistake("sqlite:///a?b=c&timeout=5")
    assert line.endswith(": SQLite takes no argument 'b'")
    open_storage("sqlite:///a?timeout=5")
    open_storage("sqlite:///file:u?mode=rwc&uri=true")
    assert {"a", "u"} <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "content",
    [b"hello", b"hello\n", b"[1]\n", b'{"a": 1}\n', b"1\n", b"\n", bytes(range(256)), b"{"],
)
def test_other_files_are_no_journals(
    folder: Path, content: bytes, mistake: Callable[..., str]
) -> None:
    (folder / "file").write_bytes(content)
    assert mistake("file") == "file: cannot be a study's storage: not a journal of Optuna"
    assert (folder / "file").read_bytes() == content


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"x\n", "not JSON"),
        (b"\0" * 50 + b"\n", "not JSON"),
        (b"[" * 20_000 + b"\n", "not JSON"),
        (b'{"op_code":6,"wor{"op_code":4,"worker_id":"a"}\n', "not JSON"),
        (b"[]\n", "not a record of Optuna"),
        (b'{"op_code": "2"}\n', "not a record of Optuna"),
        (b'{"op_code": 77}\n', ""),
        (b'{"op_code": 2}\n', ""),
    ],
)
def test_a_damaged_journal_names_the_line(
    folder: Path, damage: bytes, why: str, mistake: Callable[..., str]
) -> None:
    write("study.journal", 1)
    lines = (folder / "study.journal").read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:2], damage, *lines[2:]])
    (folder / "study.journal").write_bytes(damaged)
    for existing in (False, True):
        line = mistake("study.journal", existing=existing)
        assert line.startswith(f"study.journal:3: a damaged journal: {why}")
    assert (folder / "study.journal").read_bytes() == damaged


def test_a_database_is_no_journal_and_a_journal_no_database(
    folder: Path, mistake: Callable[..., str]
) -> None:
    write("study.journal", 1)
    write("sqlite:///study.db", 1)
    line = mistake("study.db")
    assert line.endswith(f"not a journal of Optuna; it is a database: sqlite:///{folder}/study.db")
    assert mistake("sqlite:///study.journal").endswith(": file is not a database")


@pytest.mark.parametrize("content", [b"hello", b"hello\n" * 1000])
def test_other_files_are_no_databases(
    folder: Path, content: bytes, mistake: Callable[..., str]
) -> None:
    (folder / "file").write_bytes(content)
    assert mistake("sqlite:///file").endswith(": file is not a database")


def test_somebody_elses_database_is_left_alone_by_those_who_look(
    folder: Path, mistake: Callable[..., str]
) -> None:
    connection = sqlite3.connect("other.db")
    connection.execute("create table things (name text)")
    connection.close()
    content = (folder / "other.db").read_bytes()
    assert mistake("sqlite:///other.db", existing=True).endswith("it holds no studies of Optuna")
    assert (folder / "other.db").read_bytes() == content


@pytest.mark.parametrize("storage", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_no_storage(storage: str, mistake: Callable[..., str]) -> None:
    assert "kept in memory only; name a file" in mistake(storage)


def test_a_schema_of_another_optuna(folder: Path, mistake: Callable[..., str]) -> None:
    write("sqlite:///study.db", 1)
    connection = sqlite3.connect("study.db")
    connection.execute("update alembic_version set version_num = 'v2.6.0.a'")
    connection.commit()
    connection.close()
    assert "optuna storage upgrade" in mistake("sqlite:///study.db")


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ("postgresql+psycopg://me:secret@127.0.0.1:1/db", "refused"),
        ("postgresql+psycopg2://me:secret@127.0.0.1:1/db", "refused"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/{db}%20", "refused"),
        ("postgresql+psycopg://me:secret@no-such-host.invalid/db", "no-such-host.invalid"),
    ],
)
def test_nobody_there(storage: str, reason: str, mistake: Callable[..., str]) -> None:
    driver = storage.partition("://")[0].partition("+")[2]
    pytest.importorskip(driver, reason=f"{driver} is not installed")
    assert reason in mistake(storage)


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("module", "form", "reason"),
    [
        ("psycopg", "postgresql+psycopg://me:secret@127.0.0.1:PORT/db", "no answer within 5 s"),
        ("grpc", "grpc://127.0.0.1:PORT", "nobody answers there"),
    ],
)
def test_a_server_that_says_nothing(
    module: str, form: str, reason: str, silent: int, mistake: Callable[..., str]
) -> None:
    pytest.importorskip(module, reason=f"{module} is not installed")
    assert reason in mistake(form.replace("PORT", str(silent)))


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        ("postgresql://me:se@cret@host/db", "an @ in a user's name or password is written %40"),
        ("postgresql://host:port/db", "such as postgresql://USER:PASSWORD@HOST/DATABASE"),
        ("postgresql+nothing://host/db", "postgresql.nothing"),
        ("grpc://", "not a URL such as grpc://HOST:PORT"),
        ("grpc://host:port", "not a URL such as grpc://HOST:PORT"),
        ("grpc://host:99999", "not a URL such as grpc://HOST:PORT"),
        ("grpc://host/path", "not a URL such as grpc://HOST:PORT"),
        ("grpc://me:secret@host:1", "not a URL such as grpc://HOST:PORT"),
    ],
)
def test_urls_that_are_none(storage: str, reason: str, mistake: Callable[..., str]) -> None:
    assert reason in mistake(storage)


@pytest.mark.parametrize(
    ("missing", "storage", "install"),
    [
        (["psycopg", "psycopg2"], "postgresql://me:secret@host/db", "psycopg[binary]"),
        (["psycopg"], "postgresql+psycopg://me:secret@host/db", "psycopg[binary]"),
        (["psycopg2"], "postgresql+psycopg2://me:secret@host/db", "psycopg2-binary"),
        (["pymysql", "MySQLdb"], "mysql://me:secret@host/db", "pymysql"),
        (["MySQLdb"], "mysql+mysqldb://me:secret@host/db", "mysqlclient"),
    ],
)
def test_a_missing_driver_says_what_to_install(
    missing: list[str],
    storage: str,
    install: str,
    mistake: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    assert mistake(storage).endswith(f': its driver is missing: pip install "{install}"')


def test_missing_grpc_says_what_to_install(
    mistake: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    assert mistake("grpc://127.0.0.1:1").endswith(": pip install grpcio protobuf")


def test_nobody_serves_grpc(mistake: Callable[..., str]) -> None:
    pytest.importorskip("grpc", reason="grpcio is not installed")
    assert mistake(f"grpc://127.0.0.1:{free_port()}").endswith(": nobody answers there")
