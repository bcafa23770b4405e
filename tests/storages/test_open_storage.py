"""Storages open and keep what is written; a mistake is one clear line, soon, without passwords."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unprompt import ConfigError
from unprompt._search.storages import masked, open_storage

READ = """\
import sys
import optuna
from unprompt._search.storages import open_storage
study = optuna.load_study(study_name="s", storage=open_storage(sys.argv[1], existing=True))
print(len(study.trials), study.best_value)
"""

SERVE = """\
import sys, warnings
import optuna
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
storage = optuna.storages.get_storage(sys.argv[1])
optuna.storages.run_grpc_proxy_server(storage, host="127.0.0.1", port=int(sys.argv[2]))
"""


def write(where: str | Path, trials: int = 3) -> str:
    """Fill a study; what `READ` prints of it."""
    import optuna

    study = optuna.create_study(study_name="s", storage=open_storage(where))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) ** 2, trials)
    return f"{trials} {study.best_value}\n"


def read(where: str | Path) -> str:
    """What another process reads there."""
    command = [sys.executable, "-W", "error", "-c", READ, str(where)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Relative paths are below the test's folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Round trips


@pytest.mark.parametrize(
    ("form", "file"),
    [
        ("study.journal", "study.journal"),
        ("FOLDER/study.journal", "study.journal"),
        ("journal://study.journal", "study.journal"),
        ("journal://FOLDER/study.journal", "study.journal"),
        ("sqlite:///study.db", "study.db"),
        ("sqlite:///FOLDER/study.db", "study.db"),
        ("sqlite+pysqlite:///study.db", "study.db"),
    ],
)
def test_files_keep_a_study(folder: Path, form: str, file: str) -> None:
    where = form.replace("FOLDER", str(folder))
    assert not (folder / file).exists()
    assert write(where) == read(where)
    assert [path.name for path in folder.iterdir()] == [file]


def test_a_path_may_be_a_path(folder: Path) -> None:
    assert write(folder / "study.journal") == read(folder / "study.journal")


def test_a_journal_stays_where_it_was_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import optuna

    storage = open_storage("study.journal")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    optuna.create_study(study_name="s", storage=storage)
    assert list((folder / "elsewhere").iterdir()) == []


@pytest.fixture
def proxy(folder: Path) -> Iterator[str]:
    """Optuna's gRPC proxy of a SQLite file, in a process."""
    for name in ("grpc", "google.protobuf"):
        pytest.importorskip(name, reason="grpcio and protobuf are not installed")
    port = free_port()
    url = f"sqlite:///{folder / 'behind.db'}"
    process = subprocess.Popen([sys.executable, "-c", SERVE, url, str(port)])
    try:
        deadline = time.monotonic() + 60
        while not listens(port):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield f"grpc://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_a_grpc_proxy_keeps_a_study(folder: Path, proxy: str) -> None:
    written = write(proxy)
    assert written == read(proxy) == read(f"sqlite:///{folder / 'behind.db'}")


# Names


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql+psycopg://me:se:cr/e@t@host/db", "postgresql+psycopg://me:***@host/db"),
        ("mysql://:secret@host/db", "mysql://:***@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db?user=me&password=secret&x=1", None),
        ("mysql://host/db?passwd=secret", "mysql://host/db?passwd=***"),
        ("grpc://host:13000", "grpc://host:13000"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("/a:b/c@d", "/a:b/c@d"),
    ],
)
def test_passwords_are_masked(where: str, shown: str | None) -> None:
    wanted = shown or "postgresql://host/db?user=me&password=***&x=1"
    assert masked(where) == masked(wanted) == wanted
    assert masked(Path("runs/study.journal")) == "runs/study.journal"


# Mistakes


@pytest.fixture
def mistake(folder: Path) -> Callable[..., str]:
    """Open a storage that cannot be opened; gives the one line."""

    def fail(where: str | Path, *, existing: bool = False) -> str:
        before, started = sorted(folder.rglob("*")), time.monotonic()
        with pytest.raises(ConfigError) as caught:
            open_storage(where, existing=existing)
        (line,) = caught.value.problems
        assert time.monotonic() - started < 10
        assert line.startswith(f"{masked(where)}: ")
        assert "\n" not in line and "secret" not in line
        assert sorted(folder.rglob("*")) == before
        return line

    return fail


def test_unknown_kinds_list_the_known_ones(mistake: Callable[..., str]) -> None:
    line = mistake("postgres://me:secret@host/db")
    assert line.startswith("postgres://me:***@host/db: unknown kind of storage 'postgres'; known")
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
    "damage", [b"x\n", b"\0" * 50 + b"\n", b'{"op_code": 77}\n', b'{"op_code": 2}\n']
)
def test_a_damaged_journal(folder: Path, damage: bytes, mistake: Callable[..., str]) -> None:
    write("study.journal", 1)
    lines = (folder / "study.journal").read_bytes().splitlines(keepends=True)
    (folder / "study.journal").write_bytes(b"".join([*lines[:2], damage, *lines[2:]]))
    assert "study.journal: cannot be a study's storage: a damaged journal: " in mistake(
        "study.journal"
    )


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


@pytest.mark.parametrize("where", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_no_storage(where: str, mistake: Callable[..., str]) -> None:
    assert "kept in memory only; name a file" in mistake(where)


def test_a_schema_of_another_optuna(folder: Path, mistake: Callable[..., str]) -> None:
    write("sqlite:///study.db", 1)
    connection = sqlite3.connect("study.db")
    connection.execute("update alembic_version set version_num = 'v2.6.0.a'")
    connection.commit()
    connection.close()
    assert "optuna storage upgrade" in mistake("sqlite:///study.db")


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("postgresql+psycopg://me:secret@127.0.0.1:1/db", "refused"),
        ("postgresql+psycopg2://me:secret@127.0.0.1:1/db", "refused"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/{db}%20", "refused"),
        ("postgresql+psycopg://me:secret@no-such-host.invalid/db", "no-such-host.invalid"),
    ],
)
def test_nobody_there(where: str, reason: str, mistake: Callable[..., str]) -> None:
    driver = where.partition("://")[0].partition("+")[2]
    pytest.importorskip(driver, reason=f"{driver} is not installed")
    assert reason in mistake(where)


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
    ("where", "reason"),
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
def test_urls_that_are_none(where: str, reason: str, mistake: Callable[..., str]) -> None:
    assert reason in mistake(where)


@pytest.mark.parametrize(
    ("missing", "where", "install"),
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
    where: str,
    install: str,
    mistake: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    assert mistake(where).endswith(f': its driver is missing: pip install "{install}"')


def test_missing_grpc_says_what_to_install(
    mistake: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    assert mistake("grpc://127.0.0.1:1").endswith(": pip install grpcio protobuf")


def test_nobody_serves_grpc(mistake: Callable[..., str]) -> None:
    pytest.importorskip("grpc", reason="grpcio is not installed")
    assert mistake(f"grpc://127.0.0.1:{free_port()}").endswith(": nobody answers there")
