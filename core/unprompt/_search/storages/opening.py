"""Open a storage by its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._config.storage import JOURNAL
from unprompt._files.paths import absolute, user_path
from unprompt._search.storages.databases import DRIVERS, open_database
from unprompt._search.storages.journals import open_journal
from unprompt._search.storages.messages import masked
from unprompt._search.storages.servers import open_grpc
from unprompt.errors import ConfigError

if TYPE_CHECKING:
    import optuna

KNOWN = "a path or journal://PATH, sqlite:///FILE, postgresql://, mysql://, grpc://HOST:PORT"
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9.-]*)(?:\+([A-Za-z0-9_]+))?://")


def open_storage(storage: str | Path, *, existing: bool = False) -> optuna.storages.BaseStorage:
    """Open a study's storage, or make it where it is not there yet.

    Args:
        storage: A path or ``journal://PATH``, a URL of SQLAlchemy (``sqlite:///FILE``,
            ``postgresql://``, ``mysql://``), or ``grpc://HOST:PORT``. A database's URL that names
            no driver takes the first that is installed.
        existing: Only to look at it: it has to be there already, and nothing is made.

    Raises:
        ConfigError: It cannot be used; the line names it, without its password, and says why.
    """
    url = str(storage)
    scheme = _SCHEME.match(url)
    kind, driver = (scheme[1], scheme[2]) if scheme else ("journal", None)
    if kind == "journal":
        path = absolute(user_path(url.removeprefix(JOURNAL)))
        return open_journal(path, url, existing)
    if kind == "grpc":
        return open_grpc(url)
    if kind in DRIVERS:
        return open_database(url, kind, driver, existing)
    raise ConfigError(f"{masked(url)}: unknown kind of storage {kind!r}; known are {KNOWN}")
