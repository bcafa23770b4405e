"""The files of an import: compared with each other first, then added to a bank part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unprompt._files import paths
from unprompt._files.hashing import content_hash, file_hash
from unprompt._files.paths import absolute
from unprompt.bank.importing.clip_retrieval import Partition
from unprompt.bank.importing.rows import halves_of, open_rows
from unprompt.bank.importing.shard_pairs import PairSet
from unprompt.bank.store import BankBackbone, BankSource, BankWriter, halved
from unprompt.errors import DataError
from unprompt.types import FloatArray

Encode = Callable[[Sequence[str]], FloatArray]
"""Texts -> unit rows, float32 of shape (n, D)."""

_CHUNK = 4096
"""Rows that are in memory at a time."""

_CHECKED, _SAME = 8, 0.9
"""Captions of a partition that are encoded again, and the cosine that they need to have with their
keys: other captions have less than 0.9, other precisions more than 0.99."""


@dataclass(frozen=True, slots=True)
class Space:
    """What rows have to be like.

    Attributes:
        target_dim: D.
        backbone: Whose space the keys are in.
        normalise: Whether rows are divided by their lengths; else they have to be 1.
    """

    target_dim: int
    backbone: BankBackbone
    normalise: bool

    @property
    def owner(self) -> str:
        """The backbone, for error lines."""
        return f"the backbone ({self.backbone.name})"


# Pairs of npy files


def check_pairs(each: PairSet, space: Space) -> int:
    """Compare what all files of a set declare; gives the number of rows.

    Raises:
        DataError: One is damaged or of another type or width, or two are no pair.
    """
    rows = 0
    for pair in each.pairs:
        ours = len(open_rows(pair.keys, space.backbone.dim, space.owner))
        theirs = len(open_rows(pair.targets, space.target_dim, "the text encoder"))
        if ours != theirs:
            raise DataError(
                f"{paths.shown(pair.keys)}: {ours:,} rows, and {theirs:,} in "
                f"{paths.shown(pair.targets)}: they are no pair"
            )
        rows += ours
    return rows


def add_set(
    each: PairSet, space: Space, writer: BankWriter, tick: Callable[[int], None]
) -> BankSource:
    """Add a set's rows, without texts. Raises DataError for one that is no unit row."""
    rows, sums = 0, list[str]()
    for pair in each.pairs:
        keys = open_rows(pair.keys, space.backbone.dim, space.owner)
        targets = open_rows(pair.targets, space.target_dim, "the text encoder")
        for start in range(0, len(keys), _CHUNK):
            part = slice(start, start + _CHUNK)
            halves = halves_of(targets[part], pair.targets, start, normalise=space.normalise)
            writer.add(
                [""] * len(halves),
                np.ones(len(halves), np.int64),
                halves,
                halves_of(keys[part], pair.keys, start, normalise=space.normalise),
            )
            tick(len(halves))
        rows += len(keys)
        sums += [file_hash(pair.keys), file_hash(pair.targets)]
    name = absolute(each.folder).name
    return BankSource(
        name=name,
        kind="shard-pairs",
        sha256=content_hash(sums),
        read=rows,
        kept=rows,
        pairing="position",
    )


# clip-retrieval


def check_partition(each: Partition, space: Space) -> int:
    """Compare what both files declare; gives the number of rows. Raises as `check_pairs`."""
    rows = len(open_rows(each.keys, space.backbone.dim, space.owner))
    if rows != each.rows:
        raise DataError(
            f"{paths.shown(each.keys)}: {rows:,} rows, and {each.rows:,} in "
            f"{paths.shown(each.metadata)}: they are no pair"
        )
    return rows


def check_captions(each: Partition, space: Space, encode_keys: Encode | None) -> None:
    """Encode some captions of a table again, and compare them with their keys.

    Raises:
        DataError: A key is not what the backbone makes of its caption.
    """
    if encode_keys is None:
        return
    texts = next(texts for texts, _ in each.texts())
    rows = [row for row, text in enumerate(texts) if text]
    rows = rows[:: max(1, len(rows) // _CHECKED)][:_CHECKED]
    if not rows:
        return
    keys = open_rows(each.keys, space.backbone.dim, space.owner)[rows]
    halves = halves_of(keys, each.keys, 0, normalise=True).astype(np.float32)
    cosines = np.einsum("nd,nd->n", halves, encode_keys([texts[row] for row in rows]))
    worst = int(cosines.argmin())
    if not cosines[worst] >= _SAME:
        raise DataError(
            f"{paths.shown(each.keys)}: row {rows[worst] + 1} has a cosine of "
            f"{cosines[worst]:.2f} with what {space.owner} makes of its caption, "
            f"{texts[rows[worst]]!r:.80}: the keys are another backbone's, or in another order"
        )


def add_partition(
    each: Partition,
    space: Space,
    encode: Encode,
    writer: BankWriter,
    tick: Callable[[int], None],
) -> BankSource:
    """Add a partition's captions, encoded, with their keys. Raises as `add_set`."""
    keys = open_rows(each.keys, space.backbone.dim, space.owner)
    start = kept = 0
    for texts in _captions(each):
        halves = halves_of(
            keys[start : start + len(texts)], each.keys, start, normalise=space.normalise
        )
        rows = [row for row, text in enumerate(texts) if text]
        if rows:
            known = [texts[row] for row in rows]
            targets = halved(encode(known), "the text encoder")
            writer.add(known, np.ones(len(rows), np.int64), targets, halves[rows])
        start += len(texts)
        kept += len(rows)
        tick(len(texts))
    return BankSource(
        name=each.keys.name,
        kind="clip-retrieval",
        sha256=content_hash([file_hash(each.keys), file_hash(each.metadata)]),
        read=start,
        kept=kept,
        pairing="position",
    )


def _captions(each: Partition) -> Iterator[list[str]]:
    for texts, _ in each.texts():
        yield texts
