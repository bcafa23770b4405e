"""A study in a journal file: safe for several processes, and nothing to install."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._search.storages.messages import reason_of, unusable

if TYPE_CHECKING:
    import optuna


def open_journal(path: Path, url: str, existing: bool) -> optuna.storages.BaseStorage:
    """Open a journal, or begin one; with ``existing`` only to look at it: make nothing.

    Error lines say ``url``, the path as the user wrote it.

    Raises:
        ConfigError: It is another kind of file, damaged, missing or not to be written.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    check_file(path, url, existing)
    try:
        # A file of one broken line would be taken, and fail when it is read the next time.
        if path.exists() and (reason := _not_a_journal(path)):
            raise unusable(url, reason)
        return JournalStorage(JournalFileBackend(str(path)))
    except OSError as error:
        raise unusable(url, reason_of(error)) from error
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise unusable(url, f"a damaged journal: {reason_of(error)}") from error


def check_file(path: Path, url: str, existing: bool) -> None:
    """Say, by a ConfigError, what is wrong with a storage's file before a library opens it."""
    try:
        if path.is_dir():
            raise unusable(url, "a folder, not a file")
        if not path.parent.is_dir():
            raise unusable(url, f"the folder {path.parent} does not exist")
        exists = path.exists()
    except OSError as error:
        raise unusable(url, reason_of(error)) from error
    if existing and not exists:
        raise unusable(url, "there is no such file")
    written = [path.parent, *([path] if exists else [])]  # the lock lies beside the file
    if not existing and not all(os.access(target, os.W_OK) for target in written):
        raise unusable(url, "it cannot be written")


def _not_a_journal(path: Path) -> str | None:
    """Why a file is no journal, by its first line; None where it may be one."""
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
