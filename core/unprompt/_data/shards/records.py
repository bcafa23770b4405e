"""The records and images of shards together: ids, what is left out, and when that is too much."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from unprompt._data.prompts import repeated_ids
from unprompt._data.record_columns import record_of, record_problems
from unprompt._data.shards.index import ShardIndex
from unprompt._data.shards.left_out import by_reason, check_left_out
from unprompt._data.shards.lookup import Lookup
from unprompt._data.shards.stored import StoredImages
from unprompt._files.paths import shown
from unprompt.contracts import Images, Record
from unprompt.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

S = TypeVar("S", bound=StoredImages)

_COLUMNS = ("prompt", "prompt_id", "group", "split", "weight", "subset")


def stored(
    shards: Sequence[ShardIndex], kind: type[S], broken: float
) -> tuple[tuple[Record, ...], Images, S]:
    """All samples of shards.

    Args:
        shards: In the order of the records.
        kind: How their images are opened.
        broken: The share of samples that may be left out.

    Returns:
        The records, their images, and the source of these.

    Raises:
        DataError: Too much is left out or nothing is left, an id is repeated, or an optional column
            is wrong; lists all such problems.
    """
    where = shown(shards[0].path) if len(shards) == 1 else _named(shards)
    lines = [line for shard in shards for line in by_reason(shard.left_out, shown(shard.path))]
    lost = sum(item.counts for shard in shards for item in shard.left_out)
    check_left_out(lines, lost, sum(len(shard.table) for shard in shards), broken, where)
    records = tuple(record for shard in shards for record in _records(shard))
    ids = tuple(record.image_id for record in records)
    problems = repeated_ids(where, ids) + record_problems(records, where)
    if problems:
        raise DataError(problems)
    numbers = np.repeat(np.arange(len(shards)), [len(shard.table) for shard in shards])
    first, second = (
        np.concatenate([shard.table[name].to_numpy() for shard in shards])
        for name in ("first", "second")
    )
    source = kind(_paths(shards), Lookup.of(ids), (numbers, first, second), _digests(shards))
    return records, Images(ids, source), source


def _records(shard: ShardIndex) -> list[Record]:
    names = ("key", "image_id", *_COLUMNS)
    columns = [shard.table[name].to_pylist() for name in names]
    stem = shard.path.stem
    return [
        record_of(own or f"{stem}/{key}", *values)
        for key, own, *values in zip(*columns, strict=True)
    ]


def _digests(shards: Sequence[ShardIndex]) -> npt.NDArray[np.uint8]:
    """SHA-256 by row, of shape (N, 32)."""
    parts = [
        np.frombuffer(b"".join(chunk.to_pylist()), np.uint8).reshape(-1, 32)
        for shard in shards
        for chunk in shard.table["digest"].chunks
    ]
    return np.concatenate(parts) if parts else np.empty((0, 32), np.uint8)


def _paths(shards: Sequence[ShardIndex]) -> list[Path]:
    return [shard.path for shard in shards]


def _named(shards: Sequence[ShardIndex]) -> str:
    return f"{shown(shards[0].path)} and {len(shards) - 1} more"
