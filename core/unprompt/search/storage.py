"""Where a study lives: a journal file, a database, or a server that speaks for one."""

from __future__ import annotations

import json
import os
import re
import time
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from unprompt.errors import ConfigError, first_line

if TYPE_CHECKING:
    import optuna

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds in which a server has to answer."""
KNOWN = "a path or journal://PATH, sqlite:///FILE, postgresql://, mysql://, grpc://HOST:PORT"
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9.-]*)(?:\+([A-Za-z0-9_]+))?://")
# Of a database: SQLAlchemy's name of a driver -> its module, and what to install for it.
_DRIVERS = {
    "postgresql": {
        "psycopg": ("psycopg", "psycopg[binary]"),
        "psycopg2": ("psycopg2", "psycopg2-binary"),
    },
    "mysql": {"pymysql": ("pymysql", "pymysql"), "mysqldb": ("MySQLdb", "mysqlclient")},
    "sqlite": {"pysqlite": ("sqlite3", "sqlite3")},
}
_GRPC_PORT = 13000  # Optuna's default


def open_storage(where: str | Path, *, existing: bool = False) -> optuna.storages.BaseStorage:
    """Open a study's storage, or make it where it is not there yet.

    Args:
        where: A path or ``journal://PATH``, a URL of SQLAlchemy (``sqlite:///FILE``,
            ``postgresql://``, ``mysql://``), or ``grpc://HOST:PORT``. A database's URL that names
            no driver takes the first that is installed.
        existing: Only to look at it: it has to be there already, and nothing is made.

    Raises:
        ConfigError: It cannot be used; the line names it, without its password, and says why.
    """
    text = str(where)
    scheme = _SCHEME.match(text)
    kind = scheme[1] if scheme else "journal"
    if kind == "journal":
        path = Path(text.removeprefix("journal://")).expanduser().absolute()
        return _open_journal(path, text, existing)
    if kind == "grpc":
        return _open_grpc(text)
    if kind in _DRIVERS:
        return _open_database(text, kind, existing)
    raise ConfigError(f"{masked(text)}: unknown kind of storage {kind!r}; known are {KNOWN}")


def masked(where: str | Path) -> str:
    """A storage's name for people: its password is ``***``."""
    # A password may hold an unescaped @ or /, so what is hidden reaches to the last @.
    text = re.sub(r"(?s)(://[^:/@]*):.*@", r"\1:***@", str(where))
    return re.sub(r"([?&](?:ssl)?(?:password|passwd|pwd)=)[^&]*", r"\1***", text)


# Files


def _open_journal(path: Path, where: str, existing: bool) -> optuna.storages.BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    _check_file(path, where, existing)
    try:
        # A file of one broken line would be taken, and fail when it is read the next time.
        if path.exists() and (reason := _no_journal(path)):
            raise _unusable(where, reason)
        return JournalStorage(JournalFileBackend(str(path)))
    except OSError as error:
        raise _unusable(where, _why(error)) from error
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise _unusable(where, f"a damaged journal: {_why(error)}") from error


def _check_file(path: Path, where: str, existing: bool) -> None:
    """Say what is wrong with a storage's file before a library opens it."""
    try:
        if path.is_dir():
            raise _unusable(where, "a folder, not a file")
        if not path.parent.is_dir():
            raise _unusable(where, f"the folder {path.parent} does not exist")
        there = path.exists()
    except OSError as error:
        raise _unusable(where, _why(error)) from error
    if existing and not there:
        raise _unusable(where, "there is no such file")
    touched = [path.parent, *([path] if there else [])]  # the lock lies beside the file
    if not existing and not all(os.access(one, os.W_OK) for one in touched):
        raise _unusable(where, "it cannot be written")


def _no_journal(path: Path) -> str | None:
    """Why a file is none, by its first line; None where it may be one."""
    with path.open("rb") as file:
        line = file.readline(1 << 20)
    # Somebody may be writing the very first line.
    if not line or (line.startswith(b'{"op_code":') and not line.endswith(b"\n")):
        return None
    try:
        if "op_code" in json.loads(line):
            return None
    except (TypeError, ValueError):
        pass
    database = line.startswith(b"SQLite format 3\0")
    return f"not a journal of Optuna{f'; it is a database: sqlite:///{path}' if database else ''}"


# Databases


def _open_database(where: str, kind: str, existing: bool) -> optuna.storages.BaseStorage:
    from sqlalchemy import exc, make_url

    try:
        url = make_url(where)
    except (exc.ArgumentError, ValueError) as error:
        wanted = "sqlite:///FILE" if kind == "sqlite" else f"{kind}://USER:PASSWORD@HOST/DATABASE"
        raise _unusable(where, f"not a URL such as {wanted}") from error
    if "@" in (url.host or ""):
        raise _unusable(where, "an @ in a user's name or password is written %40")
    if kind == "sqlite" and url.database in (None, "", ":memory:"):
        raise _unusable(where, "kept in memory only; name a file, as in sqlite:///FILE")
    if kind == "sqlite" and not str(url.database).startswith("file:"):  # that is SQLite's own URI
        _check_file(Path(str(url.database)).absolute(), where, existing)
    url = url.set(drivername=f"{kind}+{_driver(where, kind)}")
    text = url.render_as_string(hide_password=False)
    try:
        holds_studies = _answer(lambda: _ask(text))
    except TimeoutError as error:
        raise _unusable(where, f"no answer within {PATIENCE:.0f} seconds") from error
    except Exception as error:  # drivers raise what they like when they cannot connect
        raise _unusable(where, _why(error)) from error
    if existing and not holds_studies:
        raise _unusable(where, "it holds no studies of Optuna")
    return _make_tables(text, where)


def _driver(where: str, kind: str) -> str:
    """The driver that the URL names or, as SQLAlchemy's default depends on its version, one here.

    Raises:
        ConfigError: It is not installed; the line says what to install.
    """
    scheme, known = _SCHEME.match(where), _DRIVERS[kind]
    said = scheme[2] if scheme else None
    if said not in (None, *known):
        return str(said)
    here = [name for name in ([said] if said else known) if find_spec(known[name][0])]
    name = here[0] if here else said or next(iter(known))
    module, package = known[name]
    try:
        import_module(module)
    except ImportError as error:
        raise _unusable(where, f'its driver is missing: pip install "{package}"') from error
    return name


def _ask(url: str) -> bool:
    """Connect once; whether the database holds studies."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return sqlalchemy.inspect(connection).has_table("studies")


def _make_tables(url: str, where: str) -> optuna.storages.BaseStorage:
    """Optuna's storage, which makes tables where there are none."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    for left in reversed(range(5)):
        try:
            # Optuna fills in its schema's version; braces in a password are no template.
            storage = optuna.storages.RDBStorage(url.replace("{", "{{").replace("}", "}}"))
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError, RuntimeError) as error:
            # Processes that find an empty database all make its tables; all but one fail.
            if not left or not re.search("exist|duplicate|unique", str(error), re.IGNORECASE):
                raise _unusable(where, _why(error)) from error
            time.sleep(0.2)
        else:
            break
    weakref.finalize(storage, storage.engine.dispose)  # drivers warn of connections left open
    return storage


# Servers


def _open_grpc(where: str) -> optuna.storages.BaseStorage:
    import optuna

    try:
        parts = urlsplit(where)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or "@" in parts.netloc or parts.path.strip("/") or parts.query:
        raise _unusable(where, "not a URL such as grpc://HOST:PORT")
    try:
        rpc_error = import_module("grpc").RpcError
        import_module("google.protobuf")
    except ImportError as error:
        raise _unusable(where, "pip install grpcio protobuf") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = optuna.storages.GrpcStorageProxy(
            host=f"[{host}]" if ":" in host else host, port=port or _GRPC_PORT
        )
    try:
        storage.wait_server_ready(timeout=PATIENCE)
        _answer(storage.get_all_studies)
    except (OSError, rpc_error) as error:  # a TimeoutError is an OSError
        storage.close()
        said = getattr(error, "details", lambda: None)()
        reason = f"no proxy of Optuna: {said}" if said else "nobody answers there"
        raise _unusable(where, reason) from error
    return storage


def _answer(ask: Callable[[], T]) -> T:
    """What ``ask`` returns or raises, but not later than `PATIENCE`.

    Not every driver has a timeout, and those that have call it differently.

    Raises:
        TimeoutError: No answer yet; the thread that waits for it does not outlive the process.
    """
    future: Future[T] = Future()

    def wait() -> None:
        try:
            future.set_result(ask())
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            future.set_exception(error)

    Thread(target=wait, daemon=True).start()
    return future.result(timeout=PATIENCE)


def _why(error: BaseException) -> str:
    """What the library underneath said first."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    below = getattr(error, "orig", None) or error
    if below is error and error.__cause__ is not None:
        return _why(error.__cause__)
    return " ".join(first_line(below).split())


def _unusable(where: str, reason: str) -> ConfigError:
    return ConfigError(f"{masked(where)}: cannot be a study's storage: {reason}")
