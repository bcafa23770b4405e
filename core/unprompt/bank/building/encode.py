"""The second stage of a build: a shard's arrays, encoded or copied, and its mark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from unprompt._files.tensors import read_array
from unprompt.bank.building.collect import Collected, order_file
from unprompt.bank.store.arrays import HalfArray, halved, write_rows
from unprompt.bank.store.manifest import (
    PROMPTS,
    BankShard,
    shard_folder,
    shard_name,
    write_done,
)
from unprompt.bank.store.texts import PromptFiles
from unprompt.errors import DataError
from unprompt.types import FloatArray

CHUNK = 2048
"""Prompts that are encoded at a time: what they need in 32 bits is a small part of a shard."""


class HeldRows(Protocol):
    """A source that has rows of its prompts already, such as another bank."""

    def halves(self, rows: npt.NDArray[np.int64]) -> HalfArray:
        """16-bit unit rows (n, D) of the source's rows by their numbers."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """What makes one of a shard's arrays.

    Attributes:
        file: The array's name.
        owner: For error lines.
        dim: Its columns.
        encode: Texts -> unit rows, float32 of shape (n, dim).
        held: For each source its rows, where it has such; None: they are encoded.
    """

    file: str
    owner: str
    dim: int
    encode: Callable[[Sequence[str]], FloatArray]
    held: tuple[HeldRows | None, ...] = ()


def encode_shard(
    folder: Path,
    number: int,
    collected: Collected,
    encoders: Sequence[Encoder],
    tick: Callable[[int], None],
) -> BankShard:
    """Write the arrays of a shard, and then its mark.

    A row depends on the shard's prompts alone: whoever encodes it writes the same bytes.

    Args:
        folder: The bank's.
        number: The shard's.
        collected: What the first stage found.
        encoders: One for each array.
        tick: Is told how many prompts have been encoded; together the shard's rows.

    Raises:
        DataError: An encoder gave rows that are not finite or not unit length.
        OutputError: The disk is full.
    """
    name, part = shard_name(number), collected.parts[number]
    at = shard_folder(folder, name)
    prompts = PromptFiles([at / PROMPTS], [part.rows])
    texts = [text for batch, _ in prompts.batches(0) for text in batch]
    order = read_array(order_file(folder, number))
    files = {PROMPTS: part.prompts}
    shown = 0
    for place, encoder in enumerate(encoders, start=1):
        rows = np.empty((len(texts), encoder.dim), np.float16)
        todo = _copied(encoder, order, collected.ends, rows)
        todo.sort(key=lambda row: len(texts[row]))  # a batch is padded to its longest text
        for start in range(0, len(todo), CHUNK):
            chunk = todo[start : start + CHUNK]
            rows[chunk] = _checked(encoder, [texts[row] for row in chunk])
            until = _share(len(texts), place - 1, start + len(chunk), len(todo), len(encoders))
            tick(until - shown)
            shown = until
        files[encoder.file] = write_rows(at / encoder.file, rows)
    tick(len(texts) - shown)
    shard = BankShard(name=name, rows=len(texts), files=files)
    write_done(folder, shard)
    return shard


def _share(rows: int, before: int, done: int, of: int, encoders: int) -> int:
    """How many of a shard's rows count as done: each encoder has an equal part in them."""
    return int(rows * (before + done / of) / encoders)


def _copied(
    encoder: Encoder, order: npt.NDArray[np.int64], ends: Sequence[int], rows: HalfArray
) -> list[int]:
    """Copy the rows that sources have; gives the numbers of the others."""
    todo = np.ones(len(order), np.bool_)
    for source, held in enumerate(encoder.held):
        if held is not None:
            start = ends[source - 1] if source else 0
            (own,) = np.nonzero((order >= start) & (order < ends[source]))
            if len(own):
                rows[own] = held.halves(order[own] - start)
                todo[own] = False
    numbers: list[int] = np.flatnonzero(todo).tolist()
    return numbers


def _checked(encoder: Encoder, texts: Sequence[str]) -> HalfArray:
    rows = np.asarray(encoder.encode(texts), np.float32)
    if rows.shape != (len(texts), encoder.dim):
        raise DataError(
            f"{encoder.owner}: gave rows of shape {rows.shape}, not {(len(texts), encoder.dim)}"
        )
    return halved(rows, encoder.owner)
