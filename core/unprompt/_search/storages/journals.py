"""A study in a journal file: safe for several processes, and nothing to install."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._files.paths import is_folder, kind_of
from unprompt._search.storages.journal_file import JournalFile
from unprompt._search.storages.messages import label, notice, reason_of, unusable
from unprompt.errors import DataError

if TYPE_CHECKING:
    import optuna

_BEGINS = b'{"op_code":'  # Optuna's and our own lines


def open_journal(path: Path, url: str, existing: bool) -> optuna.storages.BaseStorage:
    """Open a journal, or begin one; with ``existing`` only to look at it: make nothing.

    A last line that is cut, as a crash or a full disk leaves it, is dropped, which is said on
    stderr; who only looks passes over it. Error lines say ``url``, the path as the user wrote it.

    Raises:
        ConfigError: It is another kind of file, damaged, missing or not to be written.
    """
    from optuna.storages import JournalStorage

    check_file(path, url, existing)
    try:
        # A file of one broken line would be taken, and fail when it is read the next time.
        if path.exists() and (reason := _not_a_journal(path)):
            raise unusable(url, reason)
        if not existing:
            path.open("ab").close()
        file = JournalFile(path, url)
        dropped = 0 if existing else file.drop_cut_line()
    except OSError as error:
        raise unusable(url, reason_of(error)) from error
    try:
        # Ours has every method of Optuna's base class, which is imported too late to inherit.
        storage = JournalStorage(file)  # type: ignore[arg-type]
    except (ArithmeticError, AssertionError, AttributeError, LookupError) as error:
        raise file.damaged(f"a record of another version? {reason_of(error)}") from error
    except (TypeError, ValueError) as error:
        raise file.damaged(reason_of(error)) from error
    if dropped:
        notice(
            f"{label(url)}: its last line was cut, as by a crash or a full disk, and is dropped "
            f"({dropped} bytes); the {file.line} lines before it are kept"
        )
    return storage


def check_file(path: Path, url: str, existing: bool) -> None:
    """Say, by a ConfigError, what is wrong with a storage's file before a library opens it."""
    try:
        kind = kind_of(path)
        if kind == "folder":
            raise unusable(url, "a folder, not a file")
        if not is_folder(path.parent):
            raise unusable(url, f"the folder {path.parent} does not exist")
    except DataError as error:
        reason = error.problems[0].rpartition(": ")[2]
        raise unusable(url, reason) from error
    if kind == "device":
        raise unusable(url, "a device or a pipe, not a file")
    if existing and kind == "missing":
        raise unusable(url, "there is no such file")
    written = [path.parent, *([path] if kind == "file" else [])]  # the lock lies beside the file
    if not existing and not all(os.access(target, os.W_OK) for target in written):
        raise unusable(url, "it cannot be written")
    if existing and not os.access(path, os.R_OK):
        raise unusable(url, "it cannot be read")


def _not_a_journal(path: Path) -> str | None:
    """Why a file is no journal, by its first line; None where it may be one."""
    with path.open("rb") as file:
        line = file.readline(1 << 20)
    if not line.endswith(b"\n"):  # somebody may be writing the very first line, or it is cut
        begun = line.startswith(_BEGINS) or (len(line) > 1 and _BEGINS.startswith(line))
        if begun or not line:
            return None
    try:
        if "op_code" in json.loads(line):
            return None
    except (TypeError, ValueError, RecursionError):
        pass
    database = line.startswith(b"SQLite format 3\0")
    return f"not a journal of Optuna{f'; it is a database: sqlite:///{path}' if database else ''}"
