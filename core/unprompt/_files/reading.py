"""Files that anybody may have written: one clear line where they are damaged, deep or huge."""

from __future__ import annotations

import json
import os
import pickle
import stat
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from unprompt._files import paths
from unprompt.errors import DataError, UnpromptError

T = TypeVar("T")

TEXT_LIMIT = 1 << 30
"""Bytes of the longest text file that is read whole."""

POINTER = "a Git LFS pointer, not the file: run `git lfs pull`"
"""What is said of a file that Git LFS has not fetched."""

_POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that Git LFS has put in the place of a large one."""

_DAMAGE: tuple[type[Exception], ...] = (
    OSError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What parsers raise on bytes that are not theirs."""

_NAMES: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}


@contextmanager
def reading(path: Path, *others: type[Exception], owner: str = "") -> Iterator[None]:
    """Turn what a parser raises on damaged bytes into one line that names the file.

    Only calls that read belong into the block: a mistake of ours in it would be hidden.

    Args:
        path: The file.
        others: Exceptions of the library that reads it, such as ``SafetensorError``.
        owner: Who needs the file, in front of the line.

    Raises:
        DataError: The file cannot be read or is damaged.
    """
    try:
        yield
    except UnpromptError:
        raise
    except (*_DAMAGE, *others) as error:
        prefix = f"{owner}: " if owner else ""
        raise DataError(f"{prefix}{paths.shown(path)}: cannot be read: {why(error)}") from error


def why(error: BaseException) -> str:
    """What a library says of a file, on one line and not too long."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, OSError) and error.strerror:
        return paths.reason(error)
    said = " ".join(str(error).partition("; use sys.")[0].split())
    said = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in said)
    return said[:300] or type(error).__name__


def open_file(path: Path) -> BufferedReader:
    """A file of data, opened for reading: not a FIFO, whose open would wait for a writer.

    Raises:
        DataError: It is missing, may not be read, is no regular file, or stands for a file that
            Git LFS has not fetched.
    """
    paths.check_name(path)
    with reading(path):
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(handle, "rb") if stat.S_ISREG(os.fstat(handle).st_mode) else None
    if file is None:
        what = "a folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "no regular file"
        os.close(handle)
        raise DataError(f"{paths.shown(path)}: cannot be read: it is {what}")
    with reading(path):
        start = file.read(len(_POINTER))
        file.seek(0)
    if start == _POINTER:
        file.close()
        raise DataError(f"{paths.shown(path)}: {POINTER}")
    return file


def is_pointer(path: Path) -> bool:
    """Whether a regular file stands for one that Git LFS has not fetched; False if unreadable."""
    try:
        with path.open("rb") as file:
            return file.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


def check_file(path: Path) -> None:
    """Check what `open_file` checks, for libraries that open the file themselves."""
    open_file(path).close()


def read_bytes(path: Path, *, limit: int = TEXT_LIMIT) -> bytes:
    """The content of a file.

    Args:
        path: The file.
        limit: Bytes that it may have; none more is read.

    Raises:
        DataError: The file is larger, or as `open_file`.
    """
    with open_file(path) as file, reading(path):
        small = os.fstat(file.fileno()).st_size <= limit
        content = file.read(limit + 1) if small else b""
    if not small or len(content) > limit:
        raise DataError(f"{paths.shown(path)}: larger than {limit:,} bytes")
    return content


def read_text(path: Path, *, limit: int = TEXT_LIMIT) -> str:
    """A UTF-8 file, without its byte order mark. Raises as `read_bytes`; not UTF-8, too."""
    content = read_bytes(path, limit=limit)
    with reading(path):
        return content.decode("utf-8-sig")


def parse_json(
    text: str | bytes, kind: type[T], where: str, *, distinct: bool = False, line: bool = False
) -> T:
    """JSON text.

    Args:
        text: The text; bytes are UTF-8.
        kind: ``dict`` or ``list``: what it has to be.
        where: How error lines name it, such as ``FILE`` or ``FILE:LINE``.
        distinct: Whether an object that repeats a key is refused; otherwise its last one counts.
        line: Whether it is one line, which ``where`` names: a mistake is then at
            ``FILE:LINE:COLUMN``.

    Raises:
        DataError: It is not JSON, nested too deeply, or of another kind.
    """
    pairs = _distinct if distinct else None
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
        value: Any = json.loads(decoded, object_pairs_hook=pairs)
    except RecursionError as error:
        raise DataError(f"{where}: not JSON: nested too deeply") from error
    except json.JSONDecodeError as error:
        if line:
            raise DataError(f"{where}:{error.colno}: not JSON: {error.msg}") from error
        place = f"line {error.lineno} column {error.colno}"
        raise DataError(f"{where}: not JSON: {error.msg} at {place}") from error
    except ValueError as error:  # not UTF-8, a repeated key, an integer of thousands of digits
        raise DataError(f"{where}: not JSON: {why(error)}") from error
    if not isinstance(value, kind):
        what = _NAMES.get(type(value), f"{json.dumps(value)[:40]}")
        raise DataError(f"{where}: should be {_NAMES[kind]}, but is {what}")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        repeated = next(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        raise ValueError(f"the key {repeated[:80]!r} is there twice")
    return content


def read_json(path: Path, kind: type[T], *, limit: int = TEXT_LIMIT) -> T:
    """A JSON file whose top is of ``kind``. Raises as `read_bytes` and `parse_json`."""
    return parse_json(read_bytes(path, limit=limit), kind, paths.shown(path))


def read_typed(path: Path, content: TypeAdapter[T], *, limit: int = TEXT_LIMIT) -> T:
    """A JSON file as what ``content`` describes.

    Raises:
        DataError: The file is missing or not JSON, or a value is of another type; says which.
    """
    raw = read_bytes(path, limit=limit)
    try:
        return content.validate_json(raw)
    except ValidationError as error:
        raise DataError(f"{paths.shown(path)}: {mistake(error)}") from error


def mistake(error: ValidationError) -> str:
    """The first thing that is wrong, with its path, and how many more there are."""
    mistakes = error.errors(include_url=False, include_context=False, include_input=False)
    where = ".".join(map(str, mistakes[0]["loc"]))[:120]
    text = f"{where}: {mistakes[0]['msg']}" if where else mistakes[0]["msg"]
    text = " ".join(text.split())[:300]
    return text if len(mistakes) == 1 else f"{text} (and {len(mistakes) - 1} more)"
