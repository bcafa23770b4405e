"""Storages open and keep what is written, and are shown without passwords."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from unprompt._search.storages import masked, open_storage

from .conftest import free_port, write

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


def read(storage: str | Path) -> str:
    """What another process reads there."""
    command = [sys.executable, "-W", "error", "-c", READ, str(storage)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


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
    storage = form.replace("FOLDER", str(folder))
    assert not (folder / file).exists()
    assert write(storage) == read(storage)
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
    ("storage", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:**********@host:5432/db"),
        ("postgresql+psycopg://me:se:cr/e@t@host/db", "postgresql+psycopg://me:**********@host/db"),
        ("mysql://:secret@host/db", "mysql://:**********@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db?user=me&password=secret&x=1", None),
        ("mysql://host/db?passwd=secret", "mysql://host/db?passwd=**********"),
        ("grpc://host:13000", "grpc://host:13000"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("/a:b/c@d", "/a:b/c@d"),
    ],
)
def test_passwords_are_masked(storage: str, shown: str | None) -> None:
    wanted = shown or "postgresql://host/db?user=me&password=**********&x=1"
    assert masked(storage) == masked(wanted) == wanted
    assert masked(Path("runs/study.journal")) == "runs/study.journal"
