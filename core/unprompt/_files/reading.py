"""Files that anybody may have written: one clear line where they are damaged, deep or huge."""

from __future__ import annotations

import json
import math
import pickle
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from unprompt._files import paths
from unprompt.errors import DataError, UnpromptError

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy.typing as npt

T = TypeVar("T")

TEXT_LIMIT = 1 << 30
"""Bytes of the longest text file that is read whole."""

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
        raise DataError(f"{prefix}{paths.shown(path)}: cannot be read: {_why(error)}") from error


def _why(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, OSError) and error.strerror:
        return paths.reason(error)
    return " ".join(str(error).partition("; use sys.")[0].split())[:300] or type(error).__name__


def read_bytes(path: Path, *, limit: int = TEXT_LIMIT) -> bytes:
    """The content of a file.

    Args:
        path: The file.
        limit: Bytes that it may have; none more is read.

    Raises:
        DataError: The file is missing, may not be read, or is larger.
    """
    paths.check_name(path)
    with reading(path), path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise DataError(f"{paths.shown(path)}: larger than {limit:,} bytes")
    return content


def read_text(path: Path, *, limit: int = TEXT_LIMIT) -> str:
    """A UTF-8 file, without its byte order mark. Raises as `read_bytes`; not UTF-8, too."""
    content = read_bytes(path, limit=limit)
    with reading(path):
        return content.decode("utf-8-sig")


def parse_json(text: str | bytes, kind: type[T], where: str) -> T:
    """JSON text.

    Args:
        text: The text; bytes are UTF-8.
        kind: ``dict`` or ``list``: what it has to be.
        where: How error lines name it, such as ``FILE`` or ``FILE:LINE``.

    Raises:
        DataError: It is not JSON, nested too deeply, or of another kind.
    """
    try:
        value: Any = json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except RecursionError as error:
        raise DataError(f"{where}: not JSON: nested too deeply") from error
    except json.JSONDecodeError as error:
        line = f"line {error.lineno} column {error.colno}"
        raise DataError(f"{where}: not JSON: {error.msg} at {line}") from error
    except ValueError as error:  # not UTF-8, or an integer of thousands of digits
        raise DataError(f"{where}: not JSON: {_why(error)}") from error
    if not isinstance(value, kind):
        what = _NAMES.get(type(value), f"{json.dumps(value)[:40]}")
        raise DataError(f"{where}: should be {_NAMES[kind]}, but is {what}")
    return value


def read_json(path: Path, kind: type[T], *, limit: int = TEXT_LIMIT) -> T:
    """A JSON file whose top is of ``kind``. Raises as `read_bytes` and `parse_json`."""
    return parse_json(read_bytes(path, limit=limit), kind, paths.shown(path))


def read_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Every tensor of a safetensors file, as NumPy arrays.

    Raises:
        DataError: The file is missing or damaged, or NumPy has no such type of number.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    paths.check_name(path)
    with reading(path, SafetensorError):
        tensors: dict[str, npt.NDArray[Any]] = load_file(path)
    return tensors


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array of an npy file, whose declared size is compared with the file's before a read.

    Raises:
        DataError: The file is missing or damaged, or holds Python objects.
    """
    import numpy as np

    paths.check_name(path)
    with reading(path), path.open("rb") as file:
        shape, dtype = _npy_header(file)
        size = path.stat().st_size - file.tell()
        if dtype.hasobject:
            raise DataError(f"{paths.shown(path)}: holds Python objects, which are not read")
        if math.prod(shape) * dtype.itemsize != size:
            raise DataError(
                f"{paths.shown(path)}: cut or damaged: declares {math.prod(shape)} values of "
                f"{dtype.itemsize} bytes, {size} bytes follow"
            )
        file.seek(0)
        array: npt.NDArray[Any] = np.load(file, allow_pickle=False)
        return array


def _npy_header(file: BinaryIO) -> tuple[tuple[int, ...], Any]:
    """Shape and dtype that an npy file declares; leaves the file at its first value."""
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _order, dtype = read(file)
    return shape, dtype
