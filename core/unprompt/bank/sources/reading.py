"""The one reader of sources."""

from __future__ import annotations

from collections.abc import Iterator

from unprompt._files import paths
from unprompt.bank.sources.finding import dataset_files, source_kind
from unprompt.bank.sources.prompts import Prompt, SourceSpec
from unprompt.errors import DataError


def read_source(source: SourceSpec) -> Iterator[list[Prompt]]:
    """The prompts of a source in its order, some thousand rows at a time.

    Memory does not grow with the source. Rows that repeat a prompt may come as one `Prompt` with
    their number; the sum of all counts is the number of rows, or that of the counts in
    ``count_column``.

    Raises:
        DataError: The source is missing, empty or damaged, lacks the column (the line names those
            it has), or holds values that are no text; the line names the file, and the line or the
            row in it.
    """
    kind = source_kind(source.path)
    if kind == "bank":
        yield from _bank_prompts(source)
        return
    from unprompt.bank.sources import columnar, textual

    empty = True
    if kind == "dataset":
        batches = columnar.dataset_prompts(source, dataset_files(source.path))
    elif kind in ("parquet", "diffusiondb"):
        batches = columnar.parquet_prompts(source)
    elif kind == "lines":
        batches = textual.line_prompts(source)
    elif kind == "jsonl":
        batches = textual.json_prompts(source)
    else:
        batches = textual.separated_prompts(source, "," if kind == "csv" else "\t")
    for batch in batches:
        empty = empty and not batch
        yield batch
    if empty:
        raise DataError(f"{paths.shown(source.path)}: has no rows")


def _bank_prompts(source: SourceSpec) -> Iterator[list[Prompt]]:
    """The prompts of another bank, each with its count there."""
    from unprompt.bank.store import StoredBank

    if source.column or source.count_column:
        raise DataError(f"{paths.shown(source.path)}: a bank has no columns to choose from")
    for texts, counts in StoredBank.open(source.path).prompts():
        yield [Prompt(text, count) for text, count in zip(texts, counts, strict=True)]
