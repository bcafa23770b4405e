"""Predictions on disk, always with their ids: submission, JSON lines, Parquet and npy files."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from unprompt._data.tables import check_file
from unprompt._files.writing import replacing
from unprompt.embeddings import Embeddings, check_distinct, check_finite, unit
from unprompt.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from unprompt.contracts import Batch
    from unprompt.types import FloatArray

FORMATS = {"kaggle": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "npy": ".npy"}
"""Each format with its suffix. Prompts and evidence are in ``jsonl`` and ``parquet`` only."""

_ROUNDING = 1e-6
"""A row whose length is as near to 1 as float32 rows come is read bit by bit as it is."""


class _Format(Protocol):
    """What each module of `unprompt._data.formats` offers."""

    def write(self, path: Path, batch: Batch) -> None:
        """Write all N predictions to ``path``, which is a temporary name."""
        ...

    def read(self, path: Path) -> tuple[tuple[str, ...], FloatArray]:
        """N ids and float32 of shape (N, D), as they are. Raises DataError for a broken file."""
        ...


def format_of(path: Path, given: str | None = None) -> str:
    """The format that was asked for, else the one that the suffix of ``path`` means.

    Raises:
        DataError: ``given`` is no format, or nothing is given and the suffix means none.
    """
    known = ", ".join(f"{name} ({suffix})" for name, suffix in FORMATS.items())
    if given is not None:
        if given not in FORMATS:
            raise DataError(f"no format of predictions {given!r}; there are {known}")
        return given
    suffix = path.suffix.lower().replace(".ndjson", ".jsonl")
    for name, usual in FORMATS.items():
        if suffix == usual:
            return name
    raise DataError(f"{path}: the suffix means no format of predictions; there are {known}")


def write_predictions(path: Path, format: str, batch: Batch) -> None:
    """Write predictions, all or nothing.

    Args:
        path: Where to; an old file is replaced.
        format: One of `FORMATS`.
        batch: All N images: embeddings of shape (N, D), prompts and evidence.

    Raises:
        DataError: Unknown format.
        OutputError: The file cannot be written.
    """
    module = _module(format_of(path, format))
    with replacing(path) as part:
        module.write(part, batch)


def read_predictions(path: Path) -> Embeddings:
    """Read predictions of any format of `FORMATS`, by the suffix.

    Returns:
        Unit rows of shape (N, D) in the order of the file (a submission: of each image's first
        row). Rows of another length are scaled; a zero row stays zero.

    Raises:
        DataError: The file is missing, broken or empty, or an id repeats, is empty, or has a row
            that is not finite or not of the others' D.
    """
    check_file(path)
    ids, rows = _module(format_of(path)).read(path)
    if not all(ids):
        raise DataError(f"{path}: {ids.count('')} predictions have no image id")
    try:
        check_distinct(ids)
        check_finite(ids, rows)
    except DataError as error:
        raise DataError([f"{path}: {problem}" for problem in error.problems]) from error
    length = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)  # (N, 1)
    return Embeddings(ids, np.where(np.abs(length - 1) <= _ROUNDING, rows, unit(rows)))


def _module(format: str) -> _Format:
    """The format's module, imported when first used: pyarrow takes its time."""
    return cast("_Format", import_module(f"unprompt._data.formats.{format}"))
