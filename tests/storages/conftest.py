"""Studies to write, and a real PostgreSQL server: Debian's binaries, a free port of loopback."""

from __future__ import annotations

import getpass
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from unprompt._search.storages import open_storage

PASSWORD = "not-a-secret"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's folder; relative paths are below it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(storage: str | Path, trials: int = 3) -> str:
    """Fill a study; gives its number of trials and its best value, as text."""
    import optuna

    study = optuna.create_study(study_name="s", storage=open_storage(storage))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) ** 2, trials)
    return f"{trials} {study.best_value}\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="session")
def start_postgres() -> Callable[[], AbstractContextManager[str]]:
    """``with start_postgres() as url:`` runs a server with an empty database."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    initdb = shutil.which("initdb", path=os.pathsep.join([*map(str, folders), os.environ["PATH"]]))
    if initdb is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip('psycopg is not installed (pip install "psycopg[binary]")')
    user = getpass.getuser()
    if os.geteuid() == 0:  # which PostgreSQL refuses
        user = "postgres"
        try:
            pwd.getpwnam(user)
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    return lambda: _server(Path(initdb).parent, user)


@pytest.fixture(scope="session")
def postgres_url(start_postgres: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The URL of a server's database, with user and password; the same for all tests."""
    with start_postgres() as url:
        yield url


@contextmanager
def _server(binaries: Path, user: str) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="unprompt-postgres-"))  # pytest's own are root's alone
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if os.geteuid() == 0:
        for path in (folder, secret):
            shutil.chown(path, user)

    def call(name: str, *words: str) -> None:
        command = [str(binaries / name), "-D", str(folder / "data"), *words]
        done = subprocess.run(
            command,
            check=False,
            user=user if os.geteuid() == 0 else None,
            cwd=folder,  # pg_ctl gives up where its user may not see the folder it starts in
            capture_output=True,
            text=True,
        )
        log = folder / "log"
        assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")

    port = free_port()
    # No Unix socket: the folder's name may be too long for one.
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    try:
        call("initdb", "-U", "unprompt", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")
        call("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
        yield f"postgresql+psycopg://unprompt:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            call("pg_ctl", "stop", "-w", "-m", "immediate")
        shutil.rmtree(folder)
