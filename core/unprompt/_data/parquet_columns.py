"""Columns of Parquet files, batch by batch, with a bound on what a small file may become."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unprompt._data.unread import Unread
from unprompt._files import paths
from unprompt._files.reading import check_file, reading
from unprompt.errors import DataError

_FREE, _GROWTH = 256 << 20, 64
"""Bytes that any file may give, and how many times its own size a larger one may: repeated values
take almost no room in a file. Embeddings and prompts grow less than ten times."""

_ROWS, _FEWEST = 2048, 64
"""Rows of a batch; fewer where a row group is large, since each row may repeat the same value."""


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
    largest = max((file.metadata.row_group(i).total_byte_size for i in groups), default=0)
    rows = min(_ROWS, max(_FEWEST, 4 * _FREE // max(largest, 1)))
    for batch in file.iter_batches(rows, columns=columns):
        room -= batch.nbytes
        if room < 0:
            raise DataError(
                f"{paths.shown(path)}: its columns {', '.join(columns)} hold more than {_GROWTH} "
                "times its size"
            )
        yield batch


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
        kept = [name for name in names if wanted is None or name.lower() in wanted]
        schema = file.schema_arrow
        other = {
            name: Unread(str(schema.field(name).type)) for name in kept if _nested(schema, name)
        }
        read = [name for name in kept if name not in other]
        if not read:  # the caller says what is missing; rows tell it that there are some
            return names, [other] * min(file.metadata.num_rows, 1)
        rows = [row | other for batch in batches(file, path, read) for row in batch.to_pylist()]
    return names, rows


def _nested(schema: pa.Schema, name: str) -> bool:
    """Whether a column holds bytes, lists or structs, such as images, and no text or numbers."""
    kind = schema.field(name).type
    bytes_kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return pa.types.is_nested(kind) or any(is_kind(kind) for is_kind in bytes_kinds)
