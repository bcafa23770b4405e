"""Kaggle's table of predictions: one row ``<imgId>_<eId>,val`` per image and dimension."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from unprompt._files.reading import check_file, reading
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unprompt._data.predictions import Fields, Rows
    from unprompt._data.space import TextSpace
    from unprompt.contracts import Batch
    from unprompt.types import FloatArray

_KEY, _VALUE = "imgId_eId", "val"

_Numbers: TypeAlias = npt.NDArray[np.int64]


def write(path: Path, batch: Batch, fields: Fields, space: TextSpace | None) -> None:
    """Write N * D rows, image by image in order, with the digits that round-trip float32.

    The format holds no prompts, no fields, no evidence and no text encoder.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        # pyarrow.csv would quote every key; the sample submission quotes none.
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((_KEY, _VALUE))
        for name, row in zip(batch.embeddings.ids, batch.embeddings.rows, strict=True):
            digits = pa.array(row).cast(pa.string()).to_pylist()
            writer.writerows((f"{name}_{i}", value) for i, value in enumerate(digits))


def read(path: Path) -> Rows:
    """Read a submission whose rows and columns may be in any order.

    Returns:
        N ids in order of their first row, float32 of shape (N, D), as written, and no text
        encoder. D is what most images have.

    Raises:
        DataError: Broken table, a key that is not ``<imgId>_<eId>``, a repeated or missing eId,
            or a value that is not finite.
    """
    keys, values = _columns(path)
    ids, image, dimension = _split(keys, path)
    rows, problems = _arrange(ids, image, dimension, values)
    if problems:
        raise DataError([f"{path}: {problem}" for problem in problems])
    return ids, rows, None


def _columns(path: Path) -> tuple[pa.ChunkedArray, FloatArray]:
    types = {_KEY: pa.string(), _VALUE: pa.float32()}
    check_file(path)
    with reading(path, pa.ArrowException):
        table = pa_csv.read_csv(
            path,
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(column_types=types, null_values=[]),
        )
        columns = [name[:80] for name in table.column_names]
    if sorted(columns) != sorted(types):
        raise DataError(
            f"{path}: a submission has the columns {_KEY},{_VALUE}; this table has {named(columns)}"
        )
    if not table.num_rows:
        raise DataError(f"{path}: the table has no rows")
    return table[_KEY], table[_VALUE].to_numpy()


def _split(keys: pa.ChunkedArray, path: Path) -> tuple[tuple[str, ...], _Numbers, _Numbers]:
    """Split each key at its last ``_``: distinct ids, the number of each row's id, and its eId."""
    good = pc.match_substring_regex(keys, r"^(?s:.+)_(0|[1-9][0-9]{0,8})$")
    if not pc.all(good).as_py():
        bad = keys.filter(pc.invert(good)).to_pylist()
        raise DataError(f"{path}: not of the form <imgId>_<eId>: {named(bad)}")
    parts = pc.split_pattern(keys, "_", max_splits=1, reverse=True)
    names = pc.list_element(parts, 0).combine_chunks().dictionary_encode()
    dimension = pc.list_element(parts, 1).cast(pa.int64()).to_numpy()
    ids = tuple(names.dictionary.to_pylist())
    return ids, names.indices.to_numpy().astype(np.int64), dimension


def _arrange(
    ids: Sequence[str], image: _Numbers, dimension: _Numbers, values: FloatArray
) -> tuple[FloatArray, list[str]]:
    """Arrange the values by image and dimension.

    Returns:
        Rows of shape (N, D) and no problem, or no rows and the problems.
    """
    dim = _usual_dim(len(ids), image, dimension)
    inside = dimension < dim
    # cells: each pair of image and eId once, sorted; first: the row of `inside` that has it.
    cells, first, times = np.unique(
        (image * dim + dimension)[inside], return_index=True, return_counts=True
    )
    beyond = zip(image[~inside], dimension[~inside], strict=True)
    lists = {
        "repeated:": [(cell // dim, cell % dim) for cell in cells[times > 1]],
        f"beyond the {dim} dimensions that most images have:": list(beyond),
        "no value for": _gaps(cells, len(ids), dim),
        "not finite:": [
            (image[row], dimension[row]) for row in np.flatnonzero(~np.isfinite(values))
        ],
    }
    problems = [
        f"{what} {named([f'{ids[number]}_{eid}' for number, eid in keys])}"
        for what, keys in lists.items()
        if keys
    ]
    rows = np.empty((0, dim), np.float32)
    return (rows if problems else values[first].reshape(len(ids), dim)), problems


def _usual_dim(count: int, image: _Numbers, dimension: _Numbers) -> int:
    """D as most of the N images have it: one more than the median of their last eIds."""
    last = np.zeros(count, np.int64)
    np.maximum.at(last, image, dimension)
    return int(np.sort(last)[count // 2]) + 1


def _gaps(cells: _Numbers, count: int, dim: int) -> list[tuple[int, int]]:
    """The first missing eId of each of the N images that miss one."""
    ends = np.searchsorted(cells, np.arange(1, count + 1) * dim)
    gaps = []
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        if end - start < dim:
            wrong = np.flatnonzero(cells[start:end] - number * dim != np.arange(end - start))
            gaps.append((number, int(wrong[0]) if len(wrong) else int(end - start)))
    return gaps
