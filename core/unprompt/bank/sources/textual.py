"""Prompts of text files: lines, CSV, TSV, JSON lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from unprompt._data.prompts import PROMPT_COLUMNS
from unprompt._data.tables import find_column, pick_column
from unprompt._data.text_rows import check_width, json_rows, lines, records
from unprompt._data.texts import MOST_COLUMNS, bare, checked, text_of
from unprompt._files import paths
from unprompt.bank.sources.counting import count_of
from unprompt.bank.sources.prompts import BATCH, Prompt, SourceSpec
from unprompt.errors import DataError, named


def line_prompts(source: SourceSpec) -> Iterator[list[Prompt]]:
    """Each line is a prompt. Raises as `read_source`."""
    shown = paths.shown(source.path)
    if source.column or source.count_column:
        raise DataError(f"{shown}: lines of text have no columns to choose from")
    yield from _batches(
        Prompt(bare(checked(line, f"{shown}:{number}: the prompt")))
        for number, line in enumerate(lines(source.path), start=1)
    )


def separated_prompts(source: SourceSpec, separator: str) -> Iterator[list[Prompt]]:
    """One column of CSV or TSV. Raises as `read_source`."""
    yield from _batches(_separated(source, separator))


def _separated(source: SourceSpec, separator: str) -> Iterator[Prompt]:
    shown = paths.shown(source.path)
    rows = records(source.path, separator)
    start, header = next(rows, (1, []))
    if not header:
        raise DataError(f"{shown}:1: no header")
    if len(header) > MOST_COLUMNS:
        raise DataError(f"{shown}:{start}: more than {MOST_COLUMNS:,} columns")
    repeated = sorted(name for name, times in Counter(header).items() if times > 1)
    if repeated:
        raise DataError(f"{shown}:{start}: the header repeats {named(repeated)}")
    column, counted = pick_columns(header, source)
    text_place = header.index(column)
    count_place = None if counted is None else header.index(counted)
    for start, record in rows:
        where = f"{shown}:{start}"
        check_width(record, header, where)
        text = bare(text_of(record[text_place], f"{where}: column {column!r}"))
        count = 1 if count_place is None else count_of(record[count_place], where, counted)
        yield Prompt(text, count)


def json_prompts(source: SourceSpec) -> Iterator[list[Prompt]]:
    """One key of the objects in JSON lines; a row without it has an empty prompt.

    Raises as `read_source`; also where no row has the key.
    """
    yield from _batches(_json(source))


def _json(source: SourceSpec) -> Iterator[Prompt]:
    columns: dict[str, None] = {}
    aliases = wanted(source)
    column = counted = None
    for where, row in json_rows(source.path):
        if not columns.keys() >= row.keys():
            columns |= dict.fromkeys(row)
            if len(columns) > MOST_COLUMNS:
                raise DataError(f"{where}: more than {MOST_COLUMNS:,} columns")
            column = find_column(columns, aliases, source.path)
        if source.count_column is not None and counted is None:
            counted = find_column(columns, (source.count_column,), source.path)
        value = None if column is None else row.get(column)
        count = 1
        if source.count_column is not None:
            count = count_of(row.get(counted or ""), where, source.count_column)
        yield Prompt(bare(text_of(value, f"{where}: column {column!r}")), count)
    if columns and column is None:
        pick_column(columns, aliases, source.path)


def wanted(source: SourceSpec) -> tuple[str, ...]:
    """Names that the column of the prompts may have."""
    return PROMPT_COLUMNS if source.column is None else (source.column,)


def pick_columns(names: Iterable[str], source: SourceSpec) -> tuple[str, str | None]:
    """The columns of the prompts and of their counts. Raises DataError where one is missing."""
    columns = list(names)
    column = pick_column(columns, wanted(source), source.path)
    if source.count_column is None:
        return column, None
    return column, pick_column(columns, (source.count_column,), source.path)


def _batches(prompts: Iterable[Prompt]) -> Iterator[list[Prompt]]:
    batch: list[Prompt] = []
    for prompt in prompts:
        batch.append(prompt)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
