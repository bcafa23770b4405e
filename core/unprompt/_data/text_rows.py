"""The rows of text files, one at a time: lines, records of CSV and TSV, objects of JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unprompt._files import paths, reading
from unprompt._files.compressed import is_cut, opened_content
from unprompt._files.reading import parse_json
from unprompt.errors import DataError, amount

_LINE_LIMIT = 64 << 20
"""Bytes of one line of JSON lines; a prediction of 4,096 numbers has 90,000."""


def check_file(path: Path) -> None:
    """Raise DataError unless ``path`` is a file and not empty."""
    shown = paths.shown(path)
    kind = paths.kind_of(path)
    if kind == "folder":
        raise DataError(f"{shown}: is a folder, not a file")
    if kind == "missing":
        raise DataError(f"{shown}: no such file")
    reading.check_file(path)
    if path.stat().st_size == 0:
        raise DataError(f"{shown}: the file is empty")


def lines(path: Path) -> Iterator[str]:
    """A UTF-8 file's lines with their ends, without its byte order mark; one at a time.

    A line may hold an image that nobody wants, so that a file may be larger than memory. Files
    compressed with gzip or zstd are read as what is in them.

    Raises:
        DataError: The file is missing, unreadable, empty, cut or not UTF-8 (with the line and the
            byte in it), or a line is too long to be one.
    """
    check_file(path)
    number = 0
    with opened_content(path) as file:
        while True:
            with _reading_line(path, number + 1):
                content = file.readline(_LINE_LIMIT + 1)
            if not content:
                break
            number += 1
            where = f"{paths.shown(path)}:{number}"
            if len(content) > _LINE_LIMIT:
                raise DataError(f"{where}: a line of more than {_LINE_LIMIT:,} bytes")
            try:
                yield content.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{where}: not UTF-8") from error
    if not number:  # a compressed file of nothing
        raise DataError(f"{paths.shown(path)}: the file is empty")


@contextmanager
def _reading_line(path: Path, number: int) -> Iterator[None]:
    """Say of a compressed file that is cut at which line."""
    with reading.reading(path):
        try:
            yield
        except (EOFError, OSError) as error:
            if not is_cut(error):
                raise
            where = f"{paths.shown(path)}:{number}"
            raise DataError(f"{where}: the compressed file is cut in this line") from error


def check_width(record: Sequence[str], header: Sequence[str], where: str) -> None:
    """Raise DataError unless a record has a field for each of the header's."""
    if len(record) != len(header):
        fields = amount(len(record), "field")
        raise DataError(f"{where}: {fields}, but the header has {len(header)}")


def records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every record of CSV or TSV that is not blank, with the number of its first line.

    Raises:
        DataError: As `lines`; or quotes are wrong or a value is too long (with the line).
    """
    pieces = (
        piece
        for line in lines(path)
        # A carriage return ends a line, too.
        for piece in (io.StringIO(line, newline="") if "\r" in line[:-2] else (line,))
    )
    reader = csv.reader(pieces, delimiter=separator, strict=True)
    start = 1
    try:
        for record in reader:
            if record:
                yield start, record
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{paths.shown(path)}:{start}: not valid CSV: {error}") from error


def json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a file of JSON lines, with its place.

    Raises:
        DataError: As `lines`; or a line is no JSON object or repeats a key.
    """
    for number, line in enumerate(lines(path), start=1):
        if line.strip():
            where = f"{paths.shown(path)}:{number}"
            yield where, parse_json(line, dict, where, distinct=True, line=True)
