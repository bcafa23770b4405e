"""Where a prompt comes from: predicted from the image, or read from its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast, get_args

from unprompt._data.predictions import format_of
from unprompt._data.prompts import ID_COLUMNS
from unprompt._data.tables import read_table
from unprompt._files import paths
from unprompt.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from unprompt.types import BoolArray

Origin = Literal["predicted", "read", "none"]
"""``predicted``, ``read`` from the image's file, or ``none``: nobody has an answer."""

COLUMN = "origin"
"""Its name in files of predictions and in ``images.csv``."""


def origins(answered: BoolArray, read: BoolArray) -> tuple[Origin, ...]:
    """The origin of each of N answers.

    Args:
        answered: Whether the blend has an answer, of shape (N,).
        read: Whether a member of the blend read a prompt from the file, of shape (N,).
    """
    return tuple(
        "read" if is_read else "predicted" if is_answered else "none"
        for is_answered, is_read in zip(answered.tolist(), read.tolist(), strict=True)
    )


def as_origin(value: object, where: str) -> Origin:
    """The origin that a cell holds.

    Raises:
        DataError: It is none; says ``where``.
    """
    if value not in get_args(Origin):
        raise DataError(f"{where} holds {value!r}, no origin")
    return cast("Origin", value)


def read_origins(path: Path) -> dict[str, Origin]:
    """Image id -> origin, as a file of predictions says it; empty where it says nothing of it.

    Raises:
        DataError: The file is broken, or holds something else.
    """
    if format_of(path) not in ("jsonl", "parquet"):
        return {}
    table = read_table(path, (*ID_COLUMNS, COLUMN))
    if (column := table.find((COLUMN,))) is None:
        return {}
    ids = table.texts(table.pick(ID_COLUMNS))
    return {
        name: as_origin(row[column], f"{paths.shown(path)}: row {number}: column {column!r}")
        for number, (name, row) in enumerate(zip(ids, table.rows, strict=True), start=1)
    }
