"""Images in Parquet files, opened at random by way of whole row groups, of which some are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from unprompt._data.shards.stored import StoredImages
from unprompt.errors import DataError

KEPT = 512 << 20
"""Bytes of row groups that a process keeps, the last one read in any case."""


@dataclass(slots=True)
class _Group:
    """A row group's images; filled by the first thread that holds the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    images: list[bytes] | None = None
    size: int = 0


class ParquetImages(StoredImages):
    """Images in a column of Parquet files.

    A row group is read whole to open one of its images: an order that goes through a buffer
    (`blocks`) reads each once, a random one reads nearly one for every image.

    Attributes:
        column: Where images are.
    """

    column: str = "image"

    def __getstate__(self) -> dict[str, object]:
        """With the column."""
        return {**super().__getstate__(), "column": self.column}

    def _begin(self) -> None:
        super()._begin()
        self._groups: OrderedDict[tuple[int, int], _Group] = OrderedDict()

    def _content(self, shard: int, first: int, second: int, name: str) -> bytes:
        images = self._images(shard, first)
        if second >= len(images) or not images[second]:
            raise DataError(f"{name}: the file was changed since it was first read")
        return images[second]

    def _block(self, row: int) -> int:
        return int(self._places[0][row]) << 32 | int(self._places[1][row])

    def _images(self, shard: int, number: int) -> list[bytes]:
        """The images of a row group, read by one thread and once."""
        key = (shard, number)
        with self._lock:
            group = self._groups.setdefault(key, _Group())
            self._groups.move_to_end(key)
        with group.lock:
            if group.images is None:
                group.images = self._read(shard, number)
                group.size = sum(map(len, group.images))
            images = group.images
        with self._lock:
            total = sum(other.size for other in self._groups.values())
            while total > KEPT and len(self._groups) > 1:
                total -= self._groups.popitem(last=False)[1].size
        return images

    def _read(self, shard: int, number: int) -> list[bytes]:
        """Raises DataError where the file is gone, damaged, or has no such row group."""
        from unprompt._data.parquet_columns import parquet_file
        from unprompt._data.shards.parquet_samples import batches, image_bytes, image_column

        path = self.paths[shard]
        with parquet_file(path) as file:
            column = image_column(file.schema_arrow, self.column, path)
            parts: Any = batches(file, path, number, [column])
            return [image_bytes(value) for batch in parts for value in batch[0].to_pylist()]
