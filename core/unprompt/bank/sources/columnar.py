"""Prompts of Parquet files and of the Arrow files of `datasets`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from unprompt._data.parquet_columns import (
    check_lengths,
    check_whole,
    column_names,
    is_text,
    text_batches,
)
from unprompt._data.texts import MOST_COLUMNS, bare, text_of
from unprompt._data.unread import Unread
from unprompt._files import paths
from unprompt._files.reading import open_file, reading
from unprompt.bank.sources.counting import count_of
from unprompt.bank.sources.prompts import BATCH, Prompt, SourceSpec
from unprompt.bank.sources.textual import pick_columns
from unprompt.errors import DataError

_ARROW_FILE = b"ARROW1"
"""How Arrow's file format begins; its stream format begins with a length."""


def parquet_prompts(source: SourceSpec) -> Iterator[list[Prompt]]:
    """One column of a Parquet file; no other is read. Raises as `read_source`."""
    path = source.path
    column, counted = pick_columns(column_names(path), source)
    first = 0
    for batch in text_batches(path, column, () if counted is None else (counted,)):
        yield _prompts(batch, column, counted, path, first)
        first += len(batch)


def dataset_prompts(source: SourceSpec, files: Sequence[Path]) -> Iterator[list[Prompt]]:
    """One column of the Arrow files of a folder, in their order. Raises as `read_source`."""
    for path in files:
        first = 0
        for batch in _arrow_batches(path):
            check_whole(batch, first, path)
            names = batch.schema.names
            if len(names) > MOST_COLUMNS:
                raise DataError(f"{paths.shown(path)}: more than {MOST_COLUMNS:,} columns")
            column, counted = pick_columns(
                names, SourceSpec(path, source.column, source.count_column)
            )
            kind = str(batch.schema.field(column).type)
            if not is_text(batch.schema, column) and not _is_number(batch.schema, column):
                raise DataError(f"{paths.shown(path)}: column {column!r} {Unread(kind).problem}")
            for start in range(0, len(batch), BATCH):
                part = batch.slice(start, BATCH)
                if is_text(batch.schema, column):
                    check_lengths(part[column], first + start, path, column)
                yield _prompts(part, column, counted, path, first + start)
            first += len(batch)


def _is_number(schema: pa.Schema, column: str) -> bool:
    kind = schema.field(column).type
    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    return any(is_kind(kind) for is_kind in numbers)


def _arrow_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of an Arrow file, which stays on disk."""
    with open_file(path) as file, reading(path):
        start = file.read(len(_ARROW_FILE))
    if not start:
        raise DataError(f"{paths.shown(path)}: the file is empty")
    with reading(path, pa.ArrowException), pa.memory_map(str(path)) as content:
        if start == _ARROW_FILE:
            file_reader = pa.ipc.open_file(content)
            for i in range(file_reader.num_record_batches):
                yield file_reader.get_batch(i)
        else:
            yield from pa.ipc.open_stream(content)


def _prompts(
    batch: pa.RecordBatch, column: str, counted: str | None, path: Path, first: int
) -> list[Prompt]:
    """The prompts of some rows, in order of first rows; rows that repeat one are added up."""
    texts, number, starts = _distinct(batch[column])
    shown = paths.shown(path)
    where = [f"{shown}: row {first + int(start) + 1}: column {column!r}" for start in starts]
    prompts = [bare(text_of(text, at)) for text, at in zip(texts, where, strict=True)]
    if counted is None:
        counts = np.bincount(number, minlength=len(prompts)).tolist()
    else:
        counts = [0] * len(prompts)  # of any size, where 64 bits would overflow
        for i, value in enumerate(batch[counted].to_pylist()):
            counts[number[i]] += count_of(value, f"{shown}: row {first + i + 1}", counted)
    return [Prompt(text, count) for text, count in zip(prompts, counts, strict=True)]


def _distinct(
    values: pa.Array,
) -> tuple[list[Any], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Each value once in order of first ones, the number of each row's value, and first rows."""
    coded = values if isinstance(values, pa.DictionaryArray) else values.dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if not len(codes):
        return [], codes, codes
    names, starts, number = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(starts)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    known = [None if code < 0 else coded.dictionary[int(code)].as_py() for code in names[order]]
    return known, rank[number], starts[order]
