"""Where the path in a study's storage starts: nothing that is kept depends on a working directory.

In YAML a relative path starts at the folder of the file that names it, on the command line at the
working directory; the same for a plain path, ``journal://PATH`` and ``sqlite:///PATH``.
"""

from __future__ import annotations

import re
from pathlib import Path

from unprompt._files.paths import absolute, user_path, working_folder
from unprompt.errors import DataError

JOURNAL = "journal://"
FILE_URI = "file:"
"""How SQLite's own URIs begin: ``sqlite:///file:PATH?uri=true&mode=ro``."""

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9.+_-]*://")
_SQLITE = re.compile(r"^(sqlite(?:\+[A-Za-z0-9_]+)?:///)([^?]*)(.*)$", re.DOTALL)


def absolute_storage(storage: str, folder: Path) -> str:
    """A storage whose path does not depend on where it is read.

    Args:
        storage: As `unprompt._search.storages.open_storage` takes it.
        folder: Where a relative path starts.

    Raises:
        DataError: The path is none.
    """
    sqlite = _SQLITE.match(storage)
    if sqlite:
        return f"{sqlite[1]}{absolute_database(sqlite[2], folder)}{sqlite[3]}"
    path = storage.removeprefix(JOURNAL)
    if _SCHEME.match(path):
        return storage
    return str(_placed(path, folder))


def absolute_database(database: str, folder: Path) -> str:
    """SQLite's file, or its URI, with an absolute path; databases in memory as they are."""
    prefix = FILE_URI if database.startswith(FILE_URI) else ""
    path = database.removeprefix(prefix)
    if not path or path.startswith(":memory:"):
        return database
    return f"{prefix}{_placed(path, folder)}"


def storage_from_here(name: str, value: object) -> object:
    """The value of an override such as ``search.storage=FILE``, which a command line gives.

    Args:
        name: Which value, such as ``search.storage``; any other is left alone.
        value: What it is set to; what is no path is left to those who check it.
    """
    if name != "search.storage" or not isinstance(value, str):
        return value
    try:
        return absolute_storage(value, working_folder())
    except DataError:
        return value


def _placed(text: str, folder: Path) -> Path:
    """An absolute path; it does not lead through folders that it leaves again."""
    path = absolute(folder / user_path(text))
    return path.parent.resolve() / path.name if ".." in path.parts else path
