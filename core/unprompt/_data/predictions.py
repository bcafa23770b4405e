"""Predictions on disk, always with their ids: submission, JSON lines, Parquet and npy files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

import numpy as np

from unprompt._data.text_rows import check_file
from unprompt._files.writing import replacing
from unprompt.embeddings import Embeddings, check_distinct, check_finite, unit
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from pathlib import Path

    from unprompt._data.space import TextSpace
    from unprompt.contracts import Batch
    from unprompt.types import FloatArray

FORMATS = {"kaggle": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "npy": ".npy"}
"""Each format with its suffix. Prompts and evidence are in ``jsonl`` and ``parquet`` only."""

Rows: TypeAlias = "tuple[tuple[str, ...], FloatArray, TextSpace | None]"
"""What each format reads: ids, rows, and the text encoder where the file names it."""

Fields = Mapping[str, Sequence[float | bool | str | None]]
"""Name -> a number, a yes or no, or a word for each of N images; None where an image has none."""

_ROUNDING = 1e-6
"""Rows whose length differs from 1 by no more than float32 rounding are read unchanged."""


class _Format(Protocol):
    """The functions of each module of `unprompt._data.formats`."""

    def write(self, path: Path, batch: Batch, fields: Fields, space: TextSpace | None) -> None:
        """Write all N predictions to ``path``, which is a temporary name."""
        ...

    def read(self, path: Path) -> Rows:
        """N ids, float32 of shape (N, D), not normalised, and their space. Raises DataError."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PredictionFile:
    """What a file of predictions holds.

    Attributes:
        embeddings: Unit rows of shape (N, D).
        space: The text encoder that they were predicted for; None where the file does not say.
    """

    embeddings: Embeddings
    space: TextSpace | None


def format_of(path: Path, given: str | None = None) -> str:
    """The format ``given``, else the one of the suffix of ``path``.

    Raises:
        DataError: ``given`` is unknown, or it is None and no format has this suffix.
    """
    known = ", ".join(f"{name} ({suffix})" for name, suffix in FORMATS.items())
    if given is not None:
        if given not in FORMATS:
            raise DataError(f"unknown format of predictions {given!r}; there are {known}")
        return given
    suffix = path.suffix.lower().replace(".ndjson", ".jsonl")
    for name, usual in FORMATS.items():
        if suffix == usual:
            return name
    raise DataError(f"{path}: no format of predictions has this suffix; there are {known}")


def write_predictions(
    path: Path,
    format: str,
    batch: Batch,
    fields: Fields = MappingProxyType({}),
    space: TextSpace | None = None,
) -> None:
    """Write predictions atomically.

    Args:
        path: The file; one that exists is replaced.
        format: One of `FORMATS`.
        batch: All N images: embeddings of shape (N, D), prompts and evidence.
        fields: What is said of each image beside its prompt; in ``jsonl`` and ``parquet`` only.
        space: The text encoder that they were predicted for; there likewise.

    Raises:
        DataError: Unknown format, or a field has not N values.
        OutputError: The file cannot be written.
    """
    module = _module(format_of(path, format))
    wrong = [name for name, values in fields.items() if len(values) != len(batch.embeddings)]
    if wrong:
        raise DataError(f"not one value per image: {named(wrong)}")
    with replacing(path) as part:
        module.write(part, batch, fields, space)


def read_predictions(path: Path) -> Embeddings:
    """The embeddings of `read_prediction_file`."""
    return read_prediction_file(path).embeddings


def read_prediction_file(path: Path) -> PredictionFile:
    """Read predictions in the format of the file's suffix; see `FORMATS`.

    Returns:
        Unit rows of shape (N, D) in the order of the file (a submission: of each image's first
        row). Rows of another length are scaled; a zero row stays zero.

    Raises:
        DataError: The file is missing, broken or empty, or an id repeats, is empty, or has a row
            that is not finite or not of the others' D, or rows are of several text encoders.
    """
    check_file(path)
    ids, rows, space = _module(format_of(path)).read(path)
    if not all(ids):
        raise DataError(f"{path}: {ids.count('')} predictions have no image id")
    try:
        check_distinct(ids)
        check_finite(ids, rows)
    except DataError as error:
        raise DataError([f"{path}: {problem}" for problem in error.problems]) from error
    length = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)  # (N, 1)
    embeddings = Embeddings(ids, np.where(np.abs(length - 1) <= _ROUNDING, rows, unit(rows)))
    return PredictionFile(embeddings, space)


def _module(format: str) -> _Format:
    """The format's module, imported on first use because pyarrow is slow to import."""
    return cast("_Format", import_module(f"unprompt._data.formats.{format}"))
