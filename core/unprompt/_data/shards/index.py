"""What a shard holds, found once: a table in the cache, and what had to be left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unprompt._data.shards.left_out import LeftOut
from unprompt._files import paths
from unprompt._files.cache import Cache
from unprompt._files.reading import check_file
from unprompt.errors import DataError

if TYPE_CHECKING:
    from unprompt.types import PlainData

_VERSION = 2
"""Of what is found in a shard; raise it when that changes."""
_LEFT_OUT = b"left_out"
_INDEX = "index.parquet"


class Sample(NamedTuple):
    """One image of a shard.

    Attributes:
        key: Its name in the shard.
        first: Where its bytes lie: their offset in a tar, or the number of the row group.
        second: Their number, or the row in the group.
        digest: SHA-256 of the bytes.
        prompt: Not empty.
        prompt_id: Of the sample's own; the optional columns are empty where there are none.
        group: As `prompt_id`.
        split: As `prompt_id`.
        weight: As text.
        subset: As `prompt_id`.
        image_id: Of the sample's own; empty: its shard and key are its id.
    """

    key: str
    first: int
    second: int
    digest: bytes
    prompt: str
    prompt_id: str = ""
    group: str = ""
    split: str = ""
    weight: str = ""
    subset: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ShardIndex:
    """A shard and what it holds.

    Attributes:
        path: Its file.
        table: An Arrow table with the columns of `Sample`.
        left_out: What cannot be used.
    """

    path: Path
    table: Any
    left_out: tuple[LeftOut, ...]


Read = Callable[[Path], tuple[Sequence[Sample], Sequence[LeftOut]]]


def read_shards(shards: Sequence[Path], read: Read, options: PlainData) -> list[ShardIndex]:
    """What every shard holds, from the cache where it is known.

    A shard is read once and whole: headers, prompts, and a SHA-256 of every image. It is known
    again by path, size and time of change.

    Args:
        shards: Files.
        read: Finds what one holds.
        options: Everything else that this depends on.

    Raises:
        DataError: As ``read``; lists the problems of all shards.
    """
    cache = Cache.default()
    problems: list[str] = []
    indices: list[ShardIndex] = []
    with ThreadPoolExecutor(4, thread_name_prefix="index-shards") as threads:
        # Hashing releases the interpreter lock, and disks read several files at once.
        jobs = [threads.submit(_indexed, path, read, options, cache) for path in shards]
        try:
            for job in jobs:
                try:
                    indices.append(job.result())
                except DataError as error:
                    problems += error.problems
        finally:
            threads.shutdown(cancel_futures=True)
    if problems:
        more = [f"{len(problems) - _SHOWN} more cannot be used"] * (len(problems) > _SHOWN)
        raise DataError(problems[:_SHOWN] + more)
    return indices


_SHOWN = 20
"""Unusable shards that are named."""


def _indexed(path: Path, read: Read, options: PlainData, cache: Cache) -> ShardIndex:
    import pyarrow.parquet as pq

    check_file(path)
    status = path.stat()
    key: PlainData = [
        _VERSION,
        str(paths.absolute(path)),
        status.st_size,
        status.st_mtime_ns,
        options,
    ]

    def make(folder: Path) -> None:
        samples, left_out = read(path)
        table = _table(samples)
        words = json.dumps([list(item) for item in left_out])
        table = table.replace_schema_metadata({_LEFT_OUT: words.encode()})
        pq.write_table(table, folder / _INDEX, compression="zstd")

    table = pq.read_table(cache.folder("shards", key, make) / _INDEX)
    left_out = json.loads(table.schema.metadata[_LEFT_OUT])
    return ShardIndex(path, table, tuple(LeftOut(*item) for item in left_out))


def _table(samples: Sequence[Sample]) -> Any:
    import pyarrow as pa

    kinds = {"first": pa.int64(), "second": pa.int64(), "digest": pa.binary(32)}
    columns = list(zip(*samples, strict=True)) or [()] * len(Sample._fields)
    return pa.table(
        {
            name: pa.array(values, kinds.get(name, pa.string()))
            for name, values in zip(Sample._fields, columns, strict=True)
        }
    )
