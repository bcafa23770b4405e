"""A bank without its near-duplicates, as another bank."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from unprompt._files.paths import absolute
from unprompt._files.refusals import cannot_be_written
from unprompt._files.workplace import workplace
from unprompt.bank.cleaning.greedy import stand_ins
from unprompt.bank.store import (
    SHARD_ROWS,
    BankFilter,
    BankManifest,
    BankSource,
    BankWriter,
    StoredBank,
    writing_bank,
)
from unprompt.bank.store.manifest import NEAR_DUPLICATES
from unprompt.bank.store.ticks import ticking
from unprompt.contracts import Progress, silent
from unprompt.errors import ConfigError

LOWEST = 0.1
"""The lowest threshold: below, all prompts are near-duplicates of each other."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """A bank that was made from another one.

    Attributes:
        manifest: Its own.
        rows: How many rows the other one has.
        dropped: How many of those are not in it.
    """

    manifest: BankManifest
    rows: int
    dropped: int


def dedup(
    folder: Path | str,
    output: Path | str,
    *,
    threshold: float = 0.9,
    shard_rows: int = SHARD_ROWS,
    progress: Progress = silent,
) -> Deduplicated:
    """Write a bank with one prompt of each cluster of near-duplicates: the most frequent.

    Prompts are walked from the most frequent to the least, equally frequent ones by row. One whose
    target has a cosine of at least ``threshold`` with that of a prompt that was kept before is
    dropped, and its count is added to the first such prompt of the walk; any other is kept. So no
    two kept prompts are that near, each dropped one is that near to the one that has its count, and
    the sum of all counts stays. Kept prompts stay in their order, with their rows bit for bit.

    Args:
        folder: A finished bank.
        output: A new folder, or an empty one.
        threshold: From 0.1 to 1; 1 drops rows of the same direction only.
        shard_rows: Rows of a shard.
        progress: Is shown the number of prompts.

    Raises:
        ConfigError: The threshold is out of range.
        DataError: There is no bank, or it is damaged.
        OutputError: ``output`` is taken or cannot be written, or the disk is full.
    """
    if not LOWEST <= threshold <= 1:
        raise ConfigError(f"--threshold: should be from {LOWEST} to 1, got {threshold}")
    folder, output = Path(folder), Path(output)
    bank = StoredBank.open(folder)
    manifest = bank.manifest
    with (
        writing_bank(
            output,
            manifest.text_encoder,
            manifest.target_dim,
            manifest.backbone,
            shard_rows=shard_rows,
        ) as writer,
        _folder_beside(output) as work,
    ):
        counts = _counts(bank)
        order = np.argsort(-counts, kind="stable")
        with ticking(progress, "find near-duplicates", len(bank)) as tick:
            owners = stand_ins(
                lambda rows: bank.halves("targets", rows), order, threshold, work, tick, output
            )
        sums = np.zeros(len(bank), np.int64)
        np.add.at(sums, owners, counts)
        kept = owners == np.arange(len(owners))
        with ticking(progress, "write prompts", int(kept.sum())) as tick:
            for added in _copy(bank, kept, sums, writer):
                tick(added)
        repeating = int(counts[~kept].sum())
        dropped = int((~kept).sum())
        made = writer.close(
            [
                BankSource(
                    name=absolute(folder).name,
                    kind="bank",
                    sha256=manifest.identity,
                    read=manifest.counted,
                    kept=len(bank) - dropped,
                )
            ],
            [BankFilter(name=NEAR_DUPLICATES, value=threshold, dropped=repeating)],
        )
    return Deduplicated(made, len(bank), dropped)


def _counts(bank: StoredBank) -> Numbers:
    """How often each prompt of a bank occurred."""
    counts, start = np.empty(len(bank), np.int64), 0
    for _, part in bank.prompts():
        counts[start : start + len(part)] = part
        start += len(part)
    return counts


def _copy(
    bank: StoredBank, kept: npt.NDArray[np.bool_], sums: Numbers, writer: BankWriter
) -> Iterator[int]:
    """Copy what is kept of a bank; gives how many rows were added, part by part."""
    start = 0
    for texts, _ in bank.prompts():
        rows = start + np.flatnonzero(kept[start : start + len(texts)])
        writer.add(
            [texts[row - start] for row in rows],
            sums[rows],
            bank.halves("targets", rows),
            bank.halves("keys", rows) if bank.keys else None,
        )
        start += len(texts)
        yield len(rows)


@contextmanager
def _folder_beside(output: Path) -> Iterator[Path]:
    """A temporary folder on the disk that the bank is written to."""
    with ExitStack() as stack:
        with cannot_be_written(output):
            work = stack.enter_context(workplace(absolute(output).parent))
            work.content.mkdir()
        yield work.content
