"""The one import of embeddings that exist, as a bank."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from unprompt._data.space import TextSpace
from unprompt._files import paths
from unprompt.bank.importing.adding import (
    Encode,
    Space,
    add_partition,
    add_set,
    check_captions,
    check_pairs,
    check_partition,
)
from unprompt.bank.importing.clip_retrieval import Partition, check_ids, find_partitions
from unprompt.bank.importing.shard_pairs import PairSet, find_pairs
from unprompt.bank.store import (
    SHARD_ROWS,
    BankBackbone,
    BankFilter,
    BankManifest,
    writing_bank,
)
from unprompt.bank.store.ticks import ticking
from unprompt.contracts import Progress, silent
from unprompt.errors import ConfigError, DataError

Format = Literal["shard-pairs", "clip-retrieval"]
FORMATS: tuple[str, ...] = get_args(Format)
"""What can be imported."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A bank that was imported.

    Attributes:
        manifest: Its own.
        dropped: Rows without a caption, which are not in it.
    """

    manifest: BankManifest
    dropped: int


def import_folder(
    folder: Path,
    output: Path,
    *,
    kind: Format,
    text_encoder: TextSpace,
    target_dim: int,
    backbone: BankBackbone,
    encode: Encode | None = None,
    encode_keys: Encode | None = None,
    keys: str | None = None,
    column: str = "caption",
    pair_by_position: bool = False,
    normalise: bool = False,
    shard_rows: int = SHARD_ROWS,
    progress: Progress = silent,
) -> Imported:
    """Write a bank of embeddings that exist. No row is encoded again, and none is merged.

    ``shard-pairs``: sets of npy files of keys (``vith14/*.npy``) and of targets
    (``all_minilm_l6_v2/*.npy``). Such banks hold no prompts: their texts are empty. Nothing in the
    files says whose embeddings they are: `backbone` and `text_encoder` are recorded as the user
    names them, and only the numbers in a row are compared.

    ``clip-retrieval``: ``text_emb/*.npy``, and ``metadata/*.parquet`` with a column of captions.
    Files are paired by their numbers and rows by position, as the format says. Rows without a
    caption are left out; targets are encoded.

    Args:
        folder: What to import.
        output: A new folder, or an empty one.
        kind: What it is.
        text_encoder: Whose space the targets are in.
        target_dim: D.
        backbone: Whose space the keys are in.
        encode: The text encoder, for targets of captions.
        encode_keys: The backbone's text tower: a few captions of each file are encoded again, so
            that keys of another backbone, or in another order, are refused. None: they are not.
        keys: The folder of keys in each set, where there are several.
        column: Of the captions.
        pair_by_position: The user says that keys and targets are in the same order.
        normalise: Whether rows are divided by their lengths; else they have to be 1.
        shard_rows: Rows of a shard.
        progress: Is shown the number of rows.

    Raises:
        ConfigError: ``kind`` is unknown, or an option that it needs is missing.
        DataError: A file is missing, cut, of another type or width, or holds a row that is not
            finite or not of unit length, files are no pairs, or ids are repeated.
        OutputError: ``output`` is taken or cannot be written, or the disk is full.
    """
    if kind not in FORMATS:
        raise ConfigError(f"--format: should be {' or '.join(FORMATS)}, got {kind!r:.40}")
    space = Space(target_dim, backbone, normalise)
    sets, partitions = list[PairSet](), list[Partition]()
    if kind == "shard-pairs":
        sets = find_pairs(folder, by_position=pair_by_position, keys=keys)
        rows = sum(check_pairs(each, space) for each in sets)
    elif encode is None:
        raise ConfigError("captions are encoded to targets: an import of them needs a text encoder")
    else:
        partitions = find_partitions(folder, column)
        rows = sum(check_partition(each, space) for each in partitions)
        check_ids(partitions)
    with (
        writing_bank(output, text_encoder, target_dim, backbone, shard_rows=shard_rows) as writer,
        ticking(progress, "import rows", rows) as tick,
    ):
        sources = [add_set(each, space, writer, tick) for each in sets]
        if encode is not None and partitions:
            for part in partitions:
                check_captions(part, space, encode_keys)
            sources = [add_partition(each, space, encode, writer, tick) for each in partitions]
        dropped = sum(source.read - source.kept for source in sources)
        if dropped == rows:
            raise DataError(f"{paths.shown(folder)}: none of its {rows:,} rows has a caption")
        filters = [BankFilter(name="empty", dropped=dropped)] if partitions else []
        manifest = writer.close(sources, filters)
    return Imported(manifest, dropped)
