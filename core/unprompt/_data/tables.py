"""Reading tables: CSV, TSV, JSON lines and Parquet, with errors that name file and line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from unprompt._data.text_rows import check_file, check_width, json_rows, records
from unprompt._data.texts import MOST_COLUMNS, check_length, text_of
from unprompt._data.unread import Unread
from unprompt._files import paths
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Suffixes that `read_table` reads, in any case."""

_Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table in memory.

    Attributes:
        path: Its file.
        columns: The names of all columns, in their order.
        rows: At least one; each has the wanted columns, in their order. Values of CSV and TSV are
            text; a key that a row of JSON lines lacks is None. Columns of Parquet that hold no
            text or numbers were not read, see `Unread`.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Sequence[_Row]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def pick(self, aliases: Sequence[str]) -> str:
        """See `pick_column`."""
        return pick_column(self.columns, aliases, self.path)

    def find(self, aliases: Sequence[str]) -> str | None:
        """See `find_column`."""
        return find_column(self.columns, aliases, self.path)

    def texts(self, column: str) -> list[str]:
        """One column as text, unchanged; what is missing becomes the empty text.

        Missing are None, NaN and infinity: programs write NaN where there is no text, and "nan"
        is none. A number is the text that Python writes for it.

        Raises:
            DataError: A value is neither text nor a number, such as ``true``, a list or an
                image's bytes, or has half of a surrogate pair, which JSON can contain but UTF-8
                cannot, or is longer than any prompt.
        """
        if isinstance(unread := self.rows[0][column], Unread):
            raise DataError(f"{paths.shown(self.path)}: column {column!r} {unread.problem}")
        return [
            text_of(row[column], f"{paths.shown(self.path)}: row {number}: column {column!r}")
            for number, row in enumerate(self.rows, start=1)
        ]


def read_table(path: Path, wanted: Collection[str] | None = None) -> Table:
    """Read a table, or some columns of it.

    CSV and TSV follow RFC 4180 (a quote inside quotes is doubled; quoted values may contain
    separators and newlines), are UTF-8 with or without a byte order mark, and have a header.

    Args:
        path: The file; its suffix says what it is.
        wanted: Names of the columns that are used, in any case; others, which may hold images,
            are not read or not kept. None: all of them.

    Raises:
        DataError: The file is missing, empty, of an unknown kind, or broken; for text files the
            error reads ``FILE:LINE: what``.
    """
    names = None if wanted is None else {name.lower() for name in wanted}
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        from unprompt._data.parquet_columns import read_columns

        check_file(path)
        columns, rows = read_columns(path, names)
    elif suffix in (".jsonl", ".ndjson"):
        columns, rows = _same_keys(path, names)
    elif suffix in (".csv", ".tsv"):
        columns, rows = _separated_rows(path, "," if suffix == ".csv" else "\t", names)
    else:
        raise DataError(f"{paths.shown(path)}: not a table; known are {', '.join(SUFFIXES)}")
    if not rows:
        raise DataError(f"{paths.shown(path)}: the table has no rows")
    return Table(path, columns, rows)


def pick_column(columns: Iterable[str], aliases: Sequence[str], path: Path) -> str:
    """The one column whose name, in any case, is one of ``aliases``.

    Raises:
        DataError: There is none, or more than one; lists the table's columns.
    """
    names = list(columns)
    column = find_column(names, aliases, path)
    if column is None:
        has = named([name[:80] for name in names], limit=20)
        raise DataError(
            f"{paths.shown(path)}: needs one column of {', '.join(aliases)}; has {has} "
            "(is the header line there?)"
        )
    return column


def find_column(columns: Iterable[str], aliases: Sequence[str], path: Path) -> str | None:
    """As `pick_column`, but None where the table has no such column."""
    wanted = {alias.lower() for alias in aliases}
    matching = [column for column in columns if column.lower() in wanted]
    if len(matching) > 1:
        shown = paths.shown(path)
        raise DataError(f"{shown}: the columns {named(matching)} mean the same; keep one of them")
    return matching[0] if matching else None


def _separated_rows(
    path: Path, separator: str, wanted: Collection[str] | None
) -> tuple[tuple[str, ...], list[_Row]]:
    lines, shown = records(path, separator), paths.shown(path)
    start, header = next(lines, (1, []))
    if not header:
        raise DataError(f"{shown}:1: no header")
    _check_columns(len(header), path)
    repeated = sorted(name for name, times in Counter(header).items() if times > 1)
    if repeated:
        raise DataError(f"{shown}:{start}: the header repeats {named(repeated)}")
    kept = [i for i, name in enumerate(header) if wanted is None or name.lower() in wanted]
    rows = []
    for start, record in lines:
        check_width(record, header, f"{shown}:{start}")
        rows.append({header[i]: record[i] for i in kept})
    return tuple(header), rows


def _same_keys(path: Path, wanted: Collection[str] | None) -> tuple[tuple[str, ...], list[_Row]]:
    columns: dict[str, None] = {}
    rows = []
    for where, line in json_rows(path):
        columns |= dict.fromkeys(line)
        _check_columns(len(columns), path)
        row = {key: line[key] for key in line if wanted is None or key.lower() in wanted}
        for key, value in row.items():  # before the next row: all may be too long
            check_length(value, f"{where}: column {key!r}")
        rows.append(row)
    kept = [key for key in columns if wanted is None or key.lower() in wanted]
    return tuple(columns), [{column: row.get(column) for column in kept} for row in rows]


def _check_columns(count: int, path: Path) -> None:
    if count > MOST_COLUMNS:
        raise DataError(f"{paths.shown(path)}: more than {MOST_COLUMNS:,} columns")
