"""The one line that says why a storage cannot be used, or what ended its use."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unprompt import _masking
from unprompt._files.paths import shown
from unprompt.errors import ConfigError, OutputError, UnpromptError, first_line

AGAIN = "run the same command again, which goes on from what is kept"
FULL = f"the disk is full: make room, then {AGAIN}"
LOCKED = f"locked by another process: {AGAIN}"

_FULL_CODES = {errno.ENOSPC, errno.EDQUOT}
# What databases say (SQLite, PostgreSQL, MySQL) -> what it means here.
_MEANINGS = (
    (r"database .*is locked|lock wait timeout|deadlock|could not obtain lock", LOCKED),
    (r"database or disk is full|no space left|could not extend file|table .* is full", FULL),
)
_LOST = (
    r"connect|server closed|server has gone away|terminat|shutting down|starting up"
    r"|broken pipe|recovery mode|timeout|timed out|unavailable|refused"
)

_REFUSALS = {"DataError", "IntegrityError", "ProgrammingError"}
"""SQLAlchemy's errors that come again with the same command."""


def masked(storage: str | Path) -> str:
    """A storage's path or URL for people, without its password."""
    return _masking.masked_url(str(storage))


def reason_of(error: BaseException) -> str:
    """The first line of what went wrong in the library underneath, in our words where we can."""
    if isinstance(error, OSError) and error.errno in _FULL_CODES:
        return FULL
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    original = getattr(error, "orig", None) or error  # SQLAlchemy keeps the driver's error there
    if original is error and error.__cause__ is not None:
        return reason_of(error.__cause__)
    line = " ".join(first_line(original).split())
    meanings = (said for pattern, said in _MEANINGS if re.search(pattern, line, re.IGNORECASE))
    return next(meanings, line)


def unusable(storage: str, reason: str) -> ConfigError:
    """The error for a storage, named without its password, and a reason."""
    if reason in (FULL, LOCKED):
        return ConfigError(f"{label(storage)}: {reason}")
    return ConfigError(f"{label(storage)}: cannot be a study's storage: {reason}")


def interrupted(storage: str | Path, error: BaseException) -> OutputError:
    """The error for a storage that failed while a study in it was in use."""
    reason, kinds = reason_of(error), {type(error).__name__, type(error.__cause__).__name__}
    if reason not in (FULL, LOCKED) and not kinds & _REFUSALS:
        lost = re.search(_LOST, reason, re.IGNORECASE) and not isinstance(error, OSError)
        reason = f"the connection was lost ({reason}): {AGAIN}" if lost else f"{reason}: {AGAIN}"
    return OutputError(f"{label(storage)}: {reason}")


def label(storage: str | Path) -> str:
    """A storage as error lines show it: `masked`, printable and on one line."""
    return shown(masked(storage))


@contextmanager
def in_use(storage: str) -> Iterator[None]:
    """Turn what a storage raises while a study is in use into one line that says what to do.

    Raises:
        OutputError: The storage is locked, full, or cannot be reached any more.
    """
    try:
        yield
    except UnpromptError:
        raise
    except Exception as error:
        if not isinstance(error, _storage_errors()):
            raise
        raise interrupted(storage, error) from error


def _storage_errors() -> tuple[type[Exception], ...]:
    """What the libraries behind storages raise; of those only that are loaded, others cannot."""
    known = {
        "optuna.exceptions": "StorageInternalError",
        "sqlalchemy.exc": "SQLAlchemyError",
        "sqlite3": "Error",
        "grpc": "RpcError",
    }
    loaded = [(sys.modules[name], error) for name, error in known.items() if name in sys.modules]
    return tuple(getattr(module, error) for module, error in loaded)


def notice(line: str) -> None:
    """Say something on stderr that no result depends on, but that somebody is waiting to know."""
    print(_masking.masked(line), file=sys.stderr, flush=True)  # noqa: T201  # of a study, from any process
