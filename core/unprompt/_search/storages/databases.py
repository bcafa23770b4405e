"""A study in a database that SQLAlchemy speaks to."""

from __future__ import annotations

import re
import time
import weakref
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._config.storage import FILE_URI, absolute_database
from unprompt._files.paths import working_folder
from unprompt._search.storages.journals import check_file
from unprompt._search.storages.messages import reason_of, unusable
from unprompt._search.storages.timeout import TIMEOUT, within_timeout

if TYPE_CHECKING:
    import optuna
    import sqlalchemy

# Of a database: SQLAlchemy's name of a driver -> its module, and what to install for it.
DRIVERS = {
    "postgresql": {
        "psycopg": ("psycopg", "psycopg[binary]"),
        "psycopg2": ("psycopg2", "psycopg2-binary"),
    },
    "mysql": {"pymysql": ("pymysql", "pymysql"), "mysqldb": ("MySQLdb", "mysqlclient")},
    "sqlite": {"pysqlite": ("sqlite3", "sqlite3")},
}

_SQLITE_ARGUMENTS = {
    *("uri", "timeout", "isolation_level", "detect_types"),
    *("check_same_thread", "cached_statements"),
}
"""What ``sqlite:///FILE?...`` may say; the driver's own, as SQLAlchemy documents them."""


def open_database(
    url: str, kind: str, driver: str | None, existing: bool
) -> optuna.storages.BaseStorage:
    """Connect, and make Optuna's tables where there are none.

    Args:
        url: As the user wrote it.
        kind: One of `DRIVERS`.
        driver: SQLAlchemy's name of it, where the URL names one.
        existing: Only to look at it: make nothing.

    Raises:
        ConfigError: The URL is malformed, its driver is missing, nobody answers in time or says no.
    """
    parts = _parse(url, kind)
    if kind == "sqlite":  # its path is followed at each connection: it stays where it is now
        _check_query(parts, url)
        parts = parts.set(database=absolute_database(str(parts.database), working_folder()))
        if not str(parts.database).startswith(FILE_URI):
            check_file(Path(str(parts.database)), url, existing)
    parts = parts.set(drivername=f"{kind}+{_driver(url, kind, driver)}")
    full_url = parts.render_as_string(hide_password=False)
    try:
        # SQLite itself waits for a lock, for as long as a server has to answer, and says so.
        seconds = 2 * TIMEOUT if kind == "sqlite" else TIMEOUT
        holds_studies = within_timeout(lambda: _holds_studies(full_url), seconds)
    except TimeoutError as error:
        raise unusable(url, f"no answer within {TIMEOUT:.0f} seconds") from error
    except Exception as error:  # drivers raise what they like when they cannot connect
        raise unusable(url, reason_of(error)) from error
    if existing and not holds_studies:
        raise unusable(url, "it holds no studies of Optuna")
    return _make_tables(full_url, url)


def _parse(url: str, kind: str) -> sqlalchemy.URL:
    """The URL's parts; ConfigError where it is malformed, or names no database that lasts."""
    from sqlalchemy import exc, make_url

    try:
        parts = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        form = "sqlite:///FILE" if kind == "sqlite" else f"{kind}://USER:PASSWORD@HOST/DATABASE"
        raise unusable(url, f"not a URL such as {form}") from error
    if "@" in (parts.host or ""):
        raise unusable(url, "an @ in a user's name or password is written %40")
    if kind == "sqlite" and parts.database in (None, "", ":memory:"):
        raise unusable(url, "kept in memory only; name a file, as in sqlite:///FILE")
    return parts


def _check_query(parts: sqlalchemy.URL, url: str) -> None:
    """Refuse what SQLAlchemy would ignore; a URI's arguments are for SQLite itself."""
    if str(parts.query.get("uri", "")).lower() in ("true", "yes", "on", "y", "t", "1"):
        return
    unknown = sorted(set(parts.query) - _SQLITE_ARGUMENTS)
    if unknown:
        raise unusable(url, f"SQLite takes no argument {unknown[0]!r}")


def _driver(url: str, kind: str, named: str | None) -> str:
    """The driver that the URL names or, where it names none, the first that is installed.

    SQLAlchemy's own default depends on its version. ConfigError says what to install.
    """
    known = DRIVERS[kind]
    if named not in (None, *known):
        return str(named)
    candidates = [named] if named else list(known)
    for driver in candidates:
        with suppress(ImportError):
            import_module(known[driver][0])
            return driver
    package = known[candidates[0]][1]
    raise unusable(url, f'its driver is missing: pip install "{package}"')


def _holds_studies(url: str) -> bool:
    """Connect once; whether the database holds studies."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return sqlalchemy.inspect(connection).has_table("studies")


def _make_tables(full_url: str, url: str) -> optuna.storages.BaseStorage:
    """Optuna's storage, which makes tables where there are none."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    for retries in reversed(range(5)):
        try:
            # Optuna fills in its schema's version; braces in a password are no template.
            storage = optuna.storages.RDBStorage(full_url.replace("{", "{{").replace("}", "}}"))
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError, RuntimeError) as error:
            # Processes that find an empty database all make its tables; all but one fail.
            if not retries or not re.search("exist|duplicate|unique", str(error), re.IGNORECASE):
                raise unusable(url, reason_of(error)) from error
            time.sleep(0.2)
        else:
            break
    weakref.finalize(storage, storage.engine.dispose)  # drivers warn of connections left open
    return storage
