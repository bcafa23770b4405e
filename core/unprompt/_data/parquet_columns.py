"""Columns of Parquet files, batch by batch, with a bound on what a small file may become."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from unprompt._data.texts import LONGEST, MOST_COLUMNS
from unprompt._data.unread import Unread
from unprompt._files import paths
from unprompt._files.reading import check_file, reading, why
from unprompt.errors import DataError

_FREE, _GROWTH = 256 << 20, 64
"""Bytes that any file may give, and how many times its own size a larger one may: repeated values
take almost no room in a file. Embeddings and prompts grow less than ten times."""

_ROWS, _FEWEST = 2048, 64
"""Rows of a batch; fewer where a row group is large, since each row may repeat the same value."""

_BUFFER = 1 << 20
"""Bytes that are read at once of a column chunk, which may be larger than memory."""


@contextmanager
def parquet_file(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file whose footer was read; errors in the block are errors of the file.

    Raises:
        DataError: It is missing or damaged.
    """
    check_file(path)
    # ParquetFile: one file as it is; read_table would read partitions from its path too.
    with reading(path, pa.ArrowException), pq.ParquetFile(path) as file:
        yield file


def batches(file: pq.ParquetFile, path: Path, columns: list[str]) -> Iterator[Any]:
    """Some columns as record batches; no others are read.

    Raises:
        DataError: They hold far more than the file could.
    """
    room = max(_FREE, _GROWTH * path.stat().st_size)
    if file.metadata.num_rows > room:
        raise DataError(f"{paths.shown(path)}: declares {file.metadata.num_rows:,} rows")
    groups = range(file.metadata.num_row_groups)
    _check_declared(file, path, columns, room)
    largest = max((file.metadata.row_group(i).total_byte_size for i in groups), default=0)
    rows = min(_ROWS, max(_FEWEST, 4 * _FREE // max(largest, 1)))
    for batch in file.iter_batches(rows, columns=columns):
        room -= batch.nbytes
        if room < 0:
            raise _grown(path, columns)
        yield batch


def column_names(path: Path) -> tuple[str, ...]:
    """The names of a Parquet file's columns. Raises DataError where it is damaged."""
    with parquet_file(path) as file:
        names = tuple(file.schema_arrow.names)
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{paths.shown(path)}: more than {MOST_COLUMNS:,} columns")
    return names


def text_batches(path: Path, column: str, others: Collection[str] = ()) -> Iterator[Any]:
    """A column of texts or numbers, and others beside it, for files larger than memory.

    Texts come as dictionaries, so that a value which many rows share is there once, and none is
    longer than `LONGEST`.

    Raises:
        DataError: The file is damaged, or holds something else in the column.
    """
    with parquet_file(path) as file:
        schema = file.schema_arrow
        if _nested(schema, column):
            problem = Unread(str(schema.field(column).type)).problem
            raise DataError(f"{paths.shown(path)}: column {column!r} {problem}")
        coded = [column] if is_text(schema, column) else []
        columns = list(dict.fromkeys([column, *others]))
        _check_declared(file, path, columns, max(_FREE, _GROWTH * path.stat().st_size))
        first = 0
        with pq.ParquetFile(path, read_dictionary=coded, buffer_size=_BUFFER) as texts:
            for batch in texts.iter_batches(_ROWS, columns=columns):
                check_whole(batch, first, path)
                if coded:
                    check_lengths(batch[column], first, path, column)
                yield batch
                first += len(batch)


def check_whole(batch: pa.RecordBatch, first: int, path: Path) -> None:
    """Refuse bytes that are no UTF-8, and values that a dictionary does not have.

    Nothing compares them while a file is decoded: they are found when Python takes the value.

    Args:
        batch: Some rows.
        first: How many rows are before them.
        path: The file, for error lines.

    Raises:
        DataError: There is such a value; names the rows of the batch.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowException as error:
        rows = f"{paths.shown(path)}: rows {first + 1:,} to {first + len(batch):,}"
        problem = "a text is not UTF-8" if "UTF8" in str(error) else f"damaged: {why(error)}"
        raise DataError(f"{rows}: {problem}") from error


def _grown(path: Path, columns: list[str]) -> DataError:
    return DataError(
        f"{paths.shown(path)}: its columns {', '.join(columns)} hold more than {_GROWTH} times "
        "its size"
    )


def read_columns(
    path: Path, wanted: Collection[str] | None
) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """The names of all columns, and the rows of those that are ``wanted`` (in lower case).

    Columns of bytes, lists and structs are not read: their values are `Unread`.

    Raises:
        DataError: The file is damaged.
    """
    with parquet_file(path) as file:
        names = tuple(file.schema_arrow.names)
        if len(names) > MOST_COLUMNS:
            raise DataError(f"{paths.shown(path)}: more than {MOST_COLUMNS:,} columns")
        kept = [name for name in names if wanted is None or name.lower() in wanted]
        schema = file.schema_arrow
        other = {
            name: Unread(str(schema.field(name).type)) for name in kept if _nested(schema, name)
        }
        read = [name for name in kept if name not in other]
        if not read:  # the caller says what is missing; rows tell it that there are some
            return names, [other] * min(file.metadata.num_rows, 1)
        _check_texts(path, file, [name for name in read if is_text(schema, name)])
        rows = [row | other for batch in batches(file, path, read) for row in batch.to_pylist()]
    return names, rows


def _check_declared(file: pq.ParquetFile, path: Path, columns: list[str], room: int) -> None:
    """Refuse what the footer alone shows to be too much."""
    chunks = [chunk for _, chunk in _chunks(file, columns)]
    if sum(max(4 * chunk.num_values, chunk.total_uncompressed_size) for chunk in chunks) > room:
        raise _grown(path, columns)


def _check_texts(path: Path, file: pq.ParquetFile, columns: list[str]) -> None:
    """Refuse texts that are too long before they are read, as one value may be in every row.

    Raises:
        DataError: One is; names its row, or the rows of its row group.
    """
    for first, chunk in _chunks(file, columns):
        count = max(chunk.num_values, 1)
        if chunk.total_uncompressed_size > (4 * LONGEST + 1024) * count:  # UTF-8 needs 4 at most
            rows = f"row {first + 1}" if count == 1 else f"rows {first + 1} to {first + count}"
            place = f"{paths.shown(path)}: {rows}: column {chunk.path_in_schema!r}"
            raise DataError(f"{place} holds more than {LONGEST:,} letters in one text")
    if not columns:
        return
    first = 0
    # As dictionaries, so that a value which many rows share is there once.
    with pq.ParquetFile(path, read_dictionary=columns) as coded:
        for batch in batches(coded, path, columns):
            for name in columns:
                check_lengths(batch[name], first, path, name)
            first += len(batch)


def check_lengths(column: Any, first: int, path: Path, name: str) -> None:
    """Check that no text of a column, or of a dictionary that it names values of, is too long.

    Args:
        column: The values of some rows.
        first: How many rows are before them.
        path: The file, for error lines.
        name: The column's name, for error lines.

    Raises:
        DataError: One is longer than `LONGEST`; names its row.
    """
    coded = isinstance(column, pa.DictionaryArray)
    lengths = pc.utf8_length(column.dictionary if coded else column)
    if not len(lengths) or (pc.max(lengths).as_py() or 0) <= LONGEST:
        return
    by_row = lengths.take(column.indices) if coded else lengths
    for i, length in enumerate(by_row.to_pylist()):
        if length is not None and length > LONGEST:
            where = f"{paths.shown(path)}: row {first + i + 1}: column {name!r}"
            raise DataError(f"{where} holds {length:,} letters; at most {LONGEST:,} are read")


def _chunks(file: pq.ParquetFile, columns: Collection[str]) -> Iterator[tuple[int, Any]]:
    """Every column chunk of some columns, with the number of rows before it."""
    first = 0
    for i in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(i)
        for j in range(group.num_columns):
            chunk = group.column(j)
            if chunk.path_in_schema.partition(".")[0] in columns or chunk.path_in_schema in columns:
                yield first, chunk
        first += group.num_rows


def is_text(schema: pa.Schema, name: str) -> bool:
    """Whether a column holds text."""
    kind = schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _nested(schema: pa.Schema, name: str) -> bool:
    """Whether a column holds bytes, lists or structs, such as images, and no text or numbers."""
    kind = schema.field(name).type
    bytes_kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return pa.types.is_nested(kind) or any(is_kind(kind) for is_kind in bytes_kinds)
