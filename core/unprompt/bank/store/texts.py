"""A shard's prompts with their counts: a Parquet file, and single rows of it."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from unprompt._files import paths
from unprompt._files.checksums import Checksum
from unprompt._files.reading import check_file, reading
from unprompt.bank.store.arrays import written
from unprompt.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 4096
"""Rows of a row group: what is read for one prompt."""

GROUPS_KEPT = 64
"""Row groups that a bank keeps in memory, the latest: 30 MB."""


def write_prompts(
    path: Path, start: int, texts: Sequence[str] | pa.Array, counts: npt.NDArray[np.int64]
) -> Checksum:
    """Write the prompts of a shard.

    Args:
        path: The file.
        start: The first one's row number in the bank.
        texts: N prompts.
        counts: How often each occurred, of shape (N,).

    Raises:
        OutputError: It cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "prompt_id": pa.array(np.arange(start, start + len(texts), dtype=np.int64)),
        "text": pa.array(texts, pa.string()),
        "count": pa.array(counts, pa.int64()),
    }
    buffer, sums = io.BytesIO(), list[Checksum]()
    pq.write_table(
        pa.table(columns),
        buffer,
        row_group_size=GROUP,
        compression="zstd",
        write_page_checksum=True,  # a changed byte is found when it is read, not by verify alone
    )
    with written(path, sums.append) as file:
        file.write(buffer.getbuffer())
    return sums[0]


@dataclass(slots=True)
class PromptFiles:
    """The prompts of a bank's shards, read a row group at a time.

    Attributes:
        paths: One file a shard.
        rows: How many prompts each has to have.
    """

    paths: Sequence[Path]
    rows: Sequence[int]
    _groups: OrderedDict[tuple[int, int], tuple[Any, Any]] = field(default_factory=OrderedDict)

    def text(self, shard: int, row: int) -> str:
        """One prompt. Raises DataError where the file is not as `write_prompts` wrote it."""
        text: str = self._group(shard, row // GROUP)[0][row % GROUP].as_py()
        return text

    def count(self, shard: int, row: int) -> int:
        """How often it occurred. Raises as `text`."""
        count: int = self._group(shard, row // GROUP)[1][row % GROUP].as_py()
        return count

    def batches(self, shard: int) -> Iterator[tuple[list[str], list[int]]]:
        """All prompts of a shard with their counts. Raises as `text`."""
        with _opened(self.paths[shard]) as file:
            for group in range(-(-self.rows[shard] // GROUP)):
                texts, counts = self._read(file, shard, group)
                yield texts.to_pylist(), counts.to_pylist()

    def _group(self, shard: int, group: int) -> tuple[Any, Any]:
        key = (shard, group)
        if key in self._groups:
            self._groups.move_to_end(key)
            return self._groups[key]
        with _opened(self.paths[shard]) as file:
            found = self._groups[key] = self._read(file, shard, group)
        if len(self._groups) > GROUPS_KEPT:
            self._groups.popitem(last=False)
        return found

    def _read(self, file: Any, shard: int, group: int) -> tuple[Any, Any]:
        """Texts and counts of a row group, which are as `write_prompts` writes them."""
        path, rows = self.paths[shard], self.rows[shard]
        if file.metadata.num_rows != rows:
            raise DataError(
                f"{paths.shown(path)}: {file.metadata.num_rows:,} prompts, not {rows:,}"
            )
        with reading(path, *_errors()):
            columns = file.read_row_group(group, columns=["text", "count"])
            columns.validate(full=True)
        problem = _problem(columns, min(GROUP, rows - group * GROUP))
        if problem:
            raise DataError(f"{paths.shown(path)}: damaged: {problem}")
        return columns["text"], columns["count"]


def _problem(columns: pa.Table, rows: int) -> str:
    """What is wrong with the columns of a row group; empty: nothing is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = {"text": pa.string(), "count": pa.int64()}
    for name, kind in kinds.items():
        if columns.schema.names.count(name) != 1 or columns.schema.field(name).type != kind:
            return f"has no column {name} of {kind}"
        if columns[name].null_count:
            return f"column {name} has nulls"
    if len(columns) != rows:
        return f"a row group has {len(columns):,} prompts, not {rows:,}"
    return "" if pc.min(columns["count"]).as_py() >= 1 else "a count is below 1"


def _opened(path: Path) -> Any:
    import pyarrow.parquet as pq

    check_file(path)
    with reading(path, *_errors()):
        return pq.ParquetFile(path, page_checksum_verification=True)


def _errors() -> tuple[type[Exception], ...]:
    import pyarrow as pa

    return (pa.ArrowException,)
