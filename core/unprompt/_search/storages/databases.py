"""A study in a database that SQLAlchemy speaks to."""

from __future__ import annotations

import re
import time
import weakref
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._search.storages.answer import PATIENCE, answer
from unprompt._search.storages.journals import check_file
from unprompt._search.storages.trouble import unusable, why

if TYPE_CHECKING:
    import optuna

# Of a database: SQLAlchemy's name of a driver -> its module, and what to install for it.
DRIVERS = {
    "postgresql": {
        "psycopg": ("psycopg", "psycopg[binary]"),
        "psycopg2": ("psycopg2", "psycopg2-binary"),
    },
    "mysql": {"pymysql": ("pymysql", "pymysql"), "mysqldb": ("MySQLdb", "mysqlclient")},
    "sqlite": {"pysqlite": ("sqlite3", "sqlite3")},
}


def open_database(
    where: str, kind: str, driver: str | None, existing: bool
) -> optuna.storages.BaseStorage:
    """Connect, and make Optuna's tables where there are none.

    Args:
        where: The URL, as it was said.
        kind: One of `DRIVERS`.
        driver: Of SQLAlchemy, where the URL names one.
        existing: Only to look at it: make nothing.

    Raises:
        ConfigError: The URL is none, its driver is missing, nobody answers in time or says no.
    """
    from sqlalchemy import exc, make_url

    try:
        url = make_url(where)
    except (exc.ArgumentError, ValueError) as error:
        wanted = "sqlite:///FILE" if kind == "sqlite" else f"{kind}://USER:PASSWORD@HOST/DATABASE"
        raise unusable(where, f"not a URL such as {wanted}") from error
    if "@" in (url.host or ""):
        raise unusable(where, "an @ in a user's name or password is written %40")
    if kind == "sqlite" and url.database in (None, "", ":memory:"):
        raise unusable(where, "kept in memory only; name a file, as in sqlite:///FILE")
    if kind == "sqlite" and not str(url.database).startswith("file:"):  # that is SQLite's own URI
        check_file(Path(str(url.database)).absolute(), where, existing)
    url = url.set(drivername=f"{kind}+{_driver(where, kind, driver)}")
    text = url.render_as_string(hide_password=False)
    try:
        holds_studies = answer(lambda: _ask(text))
    except TimeoutError as error:
        raise unusable(where, f"no answer within {PATIENCE:.0f} seconds") from error
    except Exception as error:  # drivers raise what they like when they cannot connect
        raise unusable(where, why(error)) from error
    if existing and not holds_studies:
        raise unusable(where, "it holds no studies of Optuna")
    return _make_tables(text, where)


def _driver(where: str, kind: str, said: str | None) -> str:
    """The driver that the URL names or, as SQLAlchemy's default depends on its version, one here.

    Raises:
        ConfigError: It is not installed; the line says what to install.
    """
    known = DRIVERS[kind]
    if said not in (None, *known):
        return str(said)
    here = [name for name in ([said] if said else known) if find_spec(known[name][0])]
    name = here[0] if here else said or next(iter(known))
    module, package = known[name]
    try:
        import_module(module)
    except ImportError as error:
        raise unusable(where, f'its driver is missing: pip install "{package}"') from error
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
                raise unusable(where, why(error)) from error
            time.sleep(0.2)
        else:
            break
    weakref.finalize(storage, storage.engine.dispose)  # drivers warn of connections left open
    return storage
