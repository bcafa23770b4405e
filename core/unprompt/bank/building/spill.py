"""Exact duplicates among more prompts than fit in memory: partitioned by hash, then merged.

Equal prompts have equal hashes, so that they meet in one partition, and a partition fits. The
result does not depend on whether anything was written to disk.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unprompt._files.refusals import cannot_be_written

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 200_000
"""Prompts that are kept in memory before they are written to partitions."""

PARTITIONS = 256
"""Of 66 million prompts, 260,000 are in each."""

_BATCH = 8192

Row = tuple[int, int, str]
"""Its number among all rows that were read, how often it occurred, and the prompt."""


def digest(key: str) -> bytes:
    """A hash of 128 bits of what makes two prompts the same."""
    return hashlib.blake2b(key.encode(), digest_size=16).digest()


@dataclass(slots=True)
class Spill:
    """Takes prompts and gives each once, in the order of first occurrence, with its count.

    Attributes:
        folder: For partitions; made when there are more than `IN_MEMORY`.
    """

    folder: Path
    _rows: list[tuple[int, int, bytes, str]] = field(default_factory=list)
    _writers: dict[int, Any] = field(default_factory=dict)
    _files: list[Any] = field(default_factory=list)

    def add(self, number: int, count: int, key: bytes, text: str) -> None:
        """Add a prompt.

        Args:
            number: Of its row; larger than all before.
            count: How often it occurred there.
            key: The `digest` of what makes it the same as others.
            text: The prompt.

        Raises:
            OutputError: The disk is full.
        """
        self._rows.append((number, count, key, text))
        if len(self._rows) >= IN_MEMORY:
            self._flush()

    def merged(self) -> Iterator[Row]:
        """Each prompt once, by its first row's number, in that order. Raises as `add`."""
        if not self._writers:
            yield from _as_rows(_grouped(_table(self._rows)))
            return
        self._flush()
        with cannot_be_written(self.folder):
            for writer in (*self._writers.values(), *self._files):
                writer.close()
            for partition in self._writers:
                self._write_grouped(partition)
        yield from heapq.merge(*(_read(self._path(n, "merged")) for n in self._writers))

    def _flush(self) -> None:
        """Write the rows in memory to their partitions."""
        import pyarrow as pa

        parts: dict[int, list[tuple[int, int, bytes, str]]] = {}
        for row in self._rows:
            parts.setdefault(row[2][0] % PARTITIONS, []).append(row)
        self._rows = []
        with cannot_be_written(self.folder):
            self.folder.mkdir(exist_ok=True)
            for partition, rows in parts.items():
                table = _table(rows)
                if partition not in self._writers:
                    file = self._path(partition, "rows").open("wb")
                    self._files.append(file)
                    self._writers[partition] = pa.ipc.new_stream(file, table.schema)
                self._writers[partition].write_table(table)

    def _write_grouped(self, partition: int) -> None:
        import pyarrow as pa

        path = self._path(partition, "rows")
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
            grouped = _grouped(stream.read_all())
        with (
            self._path(partition, "merged").open("wb") as file,
            pa.ipc.new_stream(file, grouped.schema) as writer,
        ):
            writer.write_table(grouped, max_chunksize=_BATCH)
        path.unlink()

    def _path(self, partition: int, what: str) -> Path:
        return self.folder / f"{partition:03d}.{what}"


def _table(rows: Sequence[tuple[int, int, bytes, str]]) -> pa.Table:
    import pyarrow as pa

    numbers, counts, keys, texts = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table(
        {
            "number": pa.array(numbers, pa.int64()),
            "count": pa.array(counts, pa.int64()),
            "key": pa.array(keys, pa.binary(16)),
            "text": pa.array(texts, pa.large_string()),
        }
    )


def _grouped(table: pa.Table) -> pa.Table:
    """Each key once: its first number and text, and the sum of its counts; by number."""
    sums = table.group_by("key", use_threads=False).aggregate([("number", "min"), ("count", "sum")])
    sums = sums.sort_by("number_min")
    numbers = table["number"].to_numpy()  # ascending, as they were added
    rows = np.searchsorted(numbers, sums["number_min"].to_numpy())
    first = table.select(["number", "text"]).take(rows)
    return first.add_column(1, "count", sums["count_sum"])


def _as_rows(table: pa.Table) -> Iterator[Row]:
    columns = (table[name].to_pylist() for name in ("number", "count", "text"))
    yield from zip(*columns, strict=True)


def _read(path: Path) -> Iterator[Row]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
        for batch in stream:
            yield from _as_rows(batch)
