"""Reading what a member learned: one clear line where a file is damaged, foreign or does not fit.

Public: families read their artifacts with it, and every other file that anybody may have written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from unprompt._files import reading
from unprompt._files.tensors import Shapes, read_array, read_tensors

__all__ = ["Shapes", "read_array", "read_json", "read_tensors", "read_text"]

T = TypeVar("T")


def read_json(path: Path, kind: type[T] | Any) -> T:
    """A JSON file whose content is of a type.

    Args:
        path: The file.
        kind: What it has to be, as pydantic understands it: ``dict[str, float]``,
            ``tuple[str, ...]``, a typed dict or a model.

    Raises:
        DataError: The file is missing or not JSON, or holds something else; says what.
    """
    content: TypeAdapter[T] = TypeAdapter(kind)
    return reading.read_typed(path, content)


def read_text(path: Path) -> str:
    """A UTF-8 file, without its byte order mark.

    Raises:
        DataError: The file is missing, no regular file, larger than 1 GiB, or not UTF-8.
    """
    return reading.read_text(path)
