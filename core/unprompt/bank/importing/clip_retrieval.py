"""Folders of clip-retrieval: text embeddings, and tables with their captions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._files import paths
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from collections.abc import Sequence

EMBEDDINGS, METADATA = "text_emb", "metadata"

ID_COLUMNS = ("prompt_id", "key", "uid")
"""Columns that name a row of the metadata; img2dataset writes ``key``."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A file of embeddings, and the table with their captions in the same order.

    Attributes:
        keys: CLIP text embeddings.
        metadata: The table.
        column: The table's column of captions.
        identifier: Its column of ids, where it has one.
        rows: How many it has.
    """

    keys: Path
    metadata: Path
    column: str
    identifier: str | None
    rows: int

    def texts(self) -> Iterator[tuple[list[str], list[Any] | None]]:
        """Captions and ids, some thousand at a time; a missing caption is empty.

        Raises:
            DataError: The table is damaged, or a caption is no text.
        """
        from unprompt._data.parquet_columns import text_batches
        from unprompt._data.texts import bare, text_of

        others = () if self.identifier is None else (self.identifier,)
        first, shown = 0, paths.shown(self.metadata)
        for batch in text_batches(self.metadata, self.column, others):
            texts = [
                bare(text_of(text, f"{shown}: row {first + i}: column {self.column!r}"))
                for i, text in enumerate(batch[self.column].to_pylist(), start=1)
            ]
            ids = None if self.identifier is None else batch[self.identifier].to_pylist()
            yield texts, ids
            first += len(batch)


def find_partitions(folder: Path, column: str = "caption") -> list[Partition]:
    """The partitions of a folder, by their numbers: ``text_emb_0.npy``, ``metadata_0.parquet``.

    Raises:
        DataError: There are none, a file has no partner, or a table lacks the column.
    """
    from unprompt._data.parquet_columns import column_names, parquet_file
    from unprompt._data.tables import find_column, pick_column

    if not paths.is_folder(folder):
        what = "is no folder" if paths.exists(folder) else "no such folder"
        raise DataError(f"{paths.shown(folder)}: {what}")
    keys = _numbered(folder / EMBEDDINGS, ".npy")
    tables = _numbered(folder / METADATA, ".parquet")
    for ours, theirs, other in ((keys, tables, METADATA), (tables, keys, EMBEDDINGS)):
        alone = sorted(ours.keys() - theirs.keys())
        if alone:
            raise DataError(f"{paths.shown(ours[alone[0]])}: no file of this number in {other}")
    partitions = []
    for number in sorted(keys):
        path = tables[number]
        columns = column_names(path)
        with parquet_file(path) as file:
            rows = file.metadata.num_rows
        identifier = next(
            (name for name in ID_COLUMNS if find_column(columns, (name,), path)), None
        )
        picked = pick_column(columns, (column,), path)
        partitions.append(Partition(keys[number], path, picked, identifier, rows))
    return partitions


def _numbered(folder: Path, suffix: str) -> dict[int, Path]:
    """The files of a folder by the numbers that their names end with."""
    numbered: dict[int, Path] = {}
    for path in sorted(folder.glob(f"*{suffix}")):
        match = re.search(r"([0-9]{1,18})$", path.stem)
        if match is None:
            raise DataError(f"{paths.shown(path)}: its name does not end with a number")
        if int(match[1]) in numbered:
            both = named([numbered[int(match[1])].name, path.name])
            raise DataError(f"{paths.shown(folder)}: two files of one number: {both}")
        numbered[int(match[1])] = path
    if not numbered:
        raise DataError(f"{paths.shown(folder)}: no {suffix} file in it")
    return numbered


def check_ids(partitions: Sequence[Partition]) -> None:
    """Check that no id is there twice, in all tables together; memory takes 8 bytes a row.

    Raises:
        DataError: One is; names it.
    """
    import numpy as np

    names = (name for partition in partitions for name in _ids(partition))
    hashes = np.fromiter(map(_hash, names), np.uint64)
    values, times = np.unique(hashes, return_counts=True)
    suspects = {*values[times > 1].tolist()}
    if not suspects:
        return
    seen: set[str] = set()  # two ids may have one hash
    for partition in partitions:
        for name in _ids(partition):
            if _hash(name) in suspects:
                if name in seen:
                    raise DataError(f"{paths.shown(partition.metadata)}: repeated id {name:.80}")
                seen.add(name)


def _ids(partition: Partition) -> Iterator[str]:
    """The ids of a table as Python writes them, lists too; without missing ones and NaN."""
    if partition.identifier is not None:
        for _, ids in partition.texts():
            names = (repr(name) for name in ids or () if name is not None)
            yield from (name for name in names if name != "nan")  # a text has quotes around it


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
