"""Paths that users name: looked at without an exception of the operating system."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from unprompt.errors import DataError

Kind = Literal["file", "folder", "device", "missing"]
"""What a path leads to, links followed; a ``device`` is anything to write into, such as a FIFO."""

_SHOWN = 200
"""Letters of a path in an error line."""


def user_path(text: str | Path) -> Path:
    """A path as a user typed it, with ``~`` and ``~name`` replaced by home folders.

    Raises:
        DataError: It is empty, holds NUL, is not UTF-8, or there is no such home folder.
    """
    if not isinstance(text, str | Path):
        raise DataError(f"a path is text or a Path, got {text!r:.80}")
    name = str(text)
    if not name:  # a Path never is: Path("") is the working directory, as Path(".")
        raise DataError("a path is empty (an unset variable?)")
    check_name(name)
    if not name.startswith("~"):  # ./~x is a file of that name, and stays one
        return absolute(Path(name)) if str(Path(name)).startswith("~") else Path(name)
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise DataError(f"no home folder for {shown(name)!r}") from error


def check_name(name: str | Path) -> None:
    """Raise DataError where no file can have this name, or no file of ours can mention it."""
    if "\0" in str(name):
        raise DataError(f"{shown(name)}: a path cannot hold NUL")
    if not fits_utf8(str(name)):
        raise DataError(f"{shown(name)}: the name is not UTF-8: rename it")


def fits_utf8(text: str) -> bool:
    """Whether UTF-8 can hold a text: it has no half of a surrogate pair, as bytes in names are."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def kind_of(path: Path) -> Kind:
    """What ``path`` leads to.

    Raises:
        DataError: Nobody can know: the name is too long or holds NUL, a folder above may not be
            entered, or links lead in a circle.
    """
    check_name(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        raise DataError(f"{shown(path)}: {reason(error)}") from error
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "device"


def is_file(path: Path) -> bool:
    """Whether ``path`` can be read as a file; so can a FIFO. Raises as `kind_of`."""
    return kind_of(path) in ("file", "device")


def is_folder(path: Path) -> bool:
    """Whether ``path`` leads to a folder. Raises as `kind_of`."""
    return kind_of(path) == "folder"


def exists(path: Path) -> bool:
    """Whether ``path`` leads to anything. Raises as `kind_of`."""
    return kind_of(path) != "missing"


def working_folder() -> Path:
    """The working directory. Raises DataError where it was deleted, or its name is not UTF-8."""
    try:
        folder = Path.cwd()
    except OSError as error:
        raise DataError("the working directory does not exist any more") from error
    check_name(folder)
    return folder


def cache_folder() -> Path:
    """``$UNPROMPT_CACHE_DIR``, ``$XDG_CACHE_HOME/unprompt`` or ``~/.cache/unprompt``.

    Raises:
        DataError: No such folder can exist, or there is no home folder.
    """
    for variable, below in (("UNPROMPT_CACHE_DIR", ""), ("XDG_CACHE_HOME", "unprompt")):
        if text := os.environ.get(variable):
            try:
                folder = absolute(user_path(text)) / below
                kind_of(folder)
            except DataError as error:
                raise DataError([f"{variable}: {line}" for line in error.problems]) from error
            return folder
    try:
        return user_path("~/.cache/unprompt")
    except DataError as error:
        raise DataError(
            "there is no home folder to keep a cache in: set UNPROMPT_CACHE_DIR"
        ) from error


def absolute(path: Path) -> Path:
    """``path`` from the root on, links kept. Raises as `working_folder`."""
    return path if path.is_absolute() else working_folder() / path


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read; a FIFO to which nobody writes is empty, instead of waiting for somebody.

    Raises:
        OSError: It cannot be opened.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        os.set_blocking(file.fileno(), True)
        yield file


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)


def shown(path: str | Path) -> str:
    """A path as error lines print it: on one line, printable, and not too long."""
    letters = (
        os.fsencode(path).decode(errors="backslashreplace") if _encodable(path) else repr(path)
    )
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in letters)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _encodable(path: str | Path) -> bool:
    """Whether the operating system can take the name; other surrogates come from escapes."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def reason(error: OSError) -> str:
    """What the operating system says, in lower case and without the path."""
    return (error.strerror or str(error)).lower()
