"""Reading tables: CSV, TSV, JSON lines and Parquet, with errors that name file and line."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Suffixes that `read_rows` reads, in any case."""


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read a whole table.

    CSV and TSV follow RFC 4180 (a quote inside quotes is doubled; quoted values may contain
    separators and newlines), are UTF-8 with or without a byte order mark, and have a header.

    Returns:
        At least one row; all have the same keys, in the order of the columns. Values of CSV and
        TSV are text; a key that a row of JSON lines lacks is None.

    Raises:
        DataError: The file is missing, empty, of an unknown kind, or broken; for text files the
            error reads ``FILE:LINE: what``.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        rows = _parquet_rows(path)
    elif suffix in (".jsonl", ".ndjson"):
        rows = _same_keys(list(_json_rows(path)))
    elif suffix in (".csv", ".tsv"):
        rows = list(_separated_rows(path, "," if suffix == ".csv" else "\t"))
    else:
        raise DataError(f"{path}: not a table; known are {', '.join(SUFFIXES)}")
    if not rows:
        raise DataError(f"{path}: the table has no rows")
    return rows


def pick_column(columns: Iterable[str], aliases: Sequence[str], path: Path) -> str:
    """The one column whose name, in any case, is one of ``aliases``.

    Raises:
        DataError: There is none, or more than one; lists the table's columns.
    """
    names = list(columns)
    column = find_column(names, aliases, path)
    if column is None:
        raise DataError(
            f"{path}: needs one column of {', '.join(aliases)}; has {named(names, limit=20)} "
            "(is the header line there?)"
        )
    return column


def find_column(columns: Iterable[str], aliases: Sequence[str], path: Path) -> str | None:
    """As `pick_column`, but None where the table has no such column."""
    wanted = {alias.lower() for alias in aliases}
    matching = [column for column in columns if column.lower() in wanted]
    if len(matching) > 1:
        raise DataError(f"{path}: the columns {named(matching)} mean the same; keep one of them")
    return matching[0] if matching else None


def texts(rows: Sequence[dict[str, Any]], column: str, path: Path) -> list[str]:
    """One column as text, unchanged; None becomes the empty text.

    Raises:
        DataError: A value is neither text nor a number, such as a list or an image's bytes, or
            has half of a surrogate pair, which JSON can contain but UTF-8 cannot.
    """
    values = []
    for number, row in enumerate(rows, start=1):
        value = row[column]
        if not isinstance(value, str | int | float | None):
            kind = type(value).__name__
            raise DataError(f"{path}: row {number}: column {column!r} holds a {kind}, not text")
        text = "" if value is None else str(value)
        if not _is_unicode(text):
            raise DataError(
                f"{path}: row {number}: column {column!r} holds half of a surrogate pair"
            )
        values.append(text)
    return values


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def check_file(path: Path) -> None:
    """Raise DataError unless ``path`` is a file and not empty."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder, not a file")
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")


def read_text(path: Path) -> str:
    """The content of a UTF-8 file, without its byte order mark and with its own line ends.

    Raises:
        DataError: The file is missing, unreadable, empty, or not UTF-8 (with the line).
    """
    check_file(path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8") from error


def _separated_rows(path: Path, separator: str) -> Iterator[dict[str, Any]]:
    lines = _records(path, separator)
    start, header = next(lines, (1, []))
    if not header:
        raise DataError(f"{path}:1: no header")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(f"{path}:{start}: the header repeats {named(repeated)}")
    for start, record in lines:
        if len(record) != len(header):
            raise DataError(
                f"{path}:{start}: {len(record)} fields, but the header has {len(header)}"
            )
        yield dict(zip(header, record, strict=True))


def _records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every record that is not blank, with the number of its first line."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for record in reader:
            if record:
                yield start, record
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{start}: not valid CSV: {error}") from error


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}:{number}: not valid JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: not a JSON object, but a {type(row).__name__}")
        yield row


def _same_keys(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return [{column: row.get(column) for column in columns} for row in rows]


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_file(path)
    try:
        # ParquetFile: one file as it is; read_table would read partitions from its path too.
        rows: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    return rows
