"""The samples of a Parquet file that holds images as bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unprompt._data.parquet_columns import parquet_file
from unprompt._data.prompts import ID_COLUMNS, PROMPT_COLUMNS
from unprompt._data.record_columns import OPTIONAL, optional_text
from unprompt._data.shards.index import Sample
from unprompt._data.shards.left_out import LeftOut
from unprompt._data.tables import find_column, pick_column
from unprompt._data.texts import LONGEST, bare, text_of
from unprompt._files.paths import shown
from unprompt.errors import DataError

LARGEST_GROUP = 2 << 30
"""Bytes that the images of one row group may have."""
_ROWS = 32
"""Rows that are read at a time: a value that is there once in the file may be in each."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of columns.

    Attributes:
        image: With bytes, or with structs of ``bytes`` and ``path``.
        prompt: None: one of `PROMPT_COLUMNS`.
    """

    image: str
    prompt: str | None


def parquet_samples(path: Path, wanted: Columns) -> tuple[list[Sample], list[LeftOut]]:
    """Every image that has bytes and a prompt, and what cannot be used.

    Raises:
        DataError: The file is damaged, lacks a column, or its image column holds something else.
    """
    samples: list[Sample] = []
    left_out: list[LeftOut] = []
    with parquet_file(path) as file:
        names = _names(file.schema_arrow, wanted, path)
        row = 0
        for group in range(file.metadata.num_row_groups):
            for second, values in enumerate(_rows(file, path, group, list(names.values()))):
                where = f"row {row}"
                made = _sample(str(row), group, second, values, names)
                if isinstance(made, Sample):
                    samples.append(made)
                else:
                    left_out.append(LeftOut(where, made))
                row += 1
    return samples, left_out


def image_bytes(value: object) -> bytes:
    """The bytes of a value of an image column; empty where there are none."""
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else b""


def image_column(schema: pa.Schema, wanted: str, path: Path) -> str:
    """The name of the column with images, in any case.

    Raises:
        DataError: There is none, or it does not hold bytes or structs of bytes.
    """
    column = pick_column(schema.names, (wanted,), path)
    kind = schema.field(column).type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise DataError(
            f"{shown(path)}: column {column!r} holds {str(kind)[:80]}, not the bytes of images; a "
            "table that names files is for `pairs`"
        )
    return column


def batches(
    file: pq.ParquetFile, path: Path, group: int, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of one row group, a few at a time.

    Raises:
        DataError: They hold more than `LARGEST_GROUP` bytes.
    """
    room = LARGEST_GROUP
    for batch in file.iter_batches(_ROWS, row_groups=[group], columns=list(columns)):
        room -= batch.nbytes
        if room < 0:
            raise DataError(
                f"{shown(path)}: row group {group} holds more than {LARGEST_GROUP:,} bytes; write "
                "the table with smaller row groups"
            )
        yield batch


def _names(schema: pa.Schema, wanted: Columns, path: Path) -> dict[str, str]:
    """Each role -> the name of its column."""
    columns = schema.names
    names = {"image": image_column(schema, wanted.image, path)}
    aliases = PROMPT_COLUMNS if wanted.prompt is None else (wanted.prompt,)
    names["prompt"] = pick_column(columns, aliases, path)
    for role, others in (("image_id", ID_COLUMNS), *((name, (name,)) for name in OPTIONAL)):
        column = find_column(columns, others, path)
        if column is not None:
            names[role] = column
    return names


def _rows(
    file: pq.ParquetFile, path: Path, group: int, columns: list[str]
) -> Iterator[dict[str, Any]]:
    for batch in batches(file, path, group, columns):
        yield from batch.to_pylist()


def _sample(
    key: str, group: int, row: int, values: dict[str, Any], names: dict[str, str]
) -> Sample | str:
    """One sample, or why it cannot be used."""
    content = image_bytes(values[names["image"]])
    if not content:
        value = values[names["image"]]
        named = isinstance(value, dict) and value.get("path")
        return "the image is a path without bytes" if named else "no image"
    try:
        text = bare(_text(values, names, "prompt"))
        texts = [_text(values, names, name) for name in (*OPTIONAL, "image_id")]
    except DataError as error:
        return error.problems[0]
    if not text:
        return "no prompt"
    return Sample(key, group, row, hashlib.sha256(content).digest(), text, *texts)


def _text(values: dict[str, Any], names: dict[str, str], role: str) -> str:
    value = values[names[role]] if role in names else None
    if isinstance(value, str) and len(value) > LONGEST:
        raise DataError(f"the {role} has more than {LONGEST:,} letters")
    return optional_text(role, text_of(value, f"the {role}"), value)
