"""Approximate indexes of a bank on disk: made, kept beside its shards, opened, removed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._files import paths
from unprompt._files.locks import take_lock
from unprompt._files.refusals import cannot_be_written
from unprompt._files.workplace import make_folder, remove_abandoned
from unprompt.bank.search.approximate import LEAST_RECALL, ApproximateIndex, IndexAbout
from unprompt.bank.search.filling import check_factory
from unprompt.bank.store.manifest import (
    INDEXES,
    BankIndex,
    BankManifest,
    index_file,
    read_manifest,
    write_manifest,
)
from unprompt.bank.store.stored import StoredBank, What
from unprompt.bank.store.ticks import ticking
from unprompt.contracts import Progress, silent
from unprompt.errors import ConfigError, DataError

if TYPE_CHECKING:
    from unprompt.bank.search import Rows

log = logging.getLogger(__name__)


def index_bank(
    folder: Path | str,
    factory: str,
    *,
    count: int = 100,
    recall: float = LEAST_RECALL,
    progress: Progress = silent,
) -> StoredBank:
    """Make an index for approximate search of a bank, measure it, and keep it in its folder.

    Keys and targets get an index each. Codes are searched in memory, and the shortlist that they
    give is scored from the bank's rows. More of an index's lists are searched until the recall is
    reached; if it cannot be, the index is kept, and used only with a lower `recall`.

    Args:
        folder: A finished bank.
        factory: A name that faiss's ``index_factory`` knows, such as ``IVF4096,RaBitQ4``; an index
            of that name is replaced.
        count: K that the recall is measured at.
        recall: The aim, from 0 to 1: recall@K on 1,000 queries.
        progress: Is shown the number of rows.

    Returns:
        The bank with its new index.

    Raises:
        ConfigError: An option is out of range.
        DataError: There is no bank, it is damaged, or another process makes an index of it; faiss
            refuses the name or the rows.
        OutputError: The folder cannot be written.
    """
    if count < 1:
        raise ConfigError(f"--count: should be at least 1, got {count}")
    if not 0 <= recall <= 1:
        raise ConfigError(f"--recall: should be from 0 to 1, got {recall}")
    folder = Path(folder)
    bank = StoredBank.open(folder)
    for width in bank.manifest.widths.values():
        check_factory(width, factory)
    with _alone(folder):
        with cannot_be_written(folder / INDEXES):  # now, not after hours of training
            make_folder(folder / INDEXES)
        try:
            parts = _made(bank, factory, count, recall, progress)
            _write(folder, factory, BankIndex(factory=factory, parts=parts))
        finally:
            _tidy(folder)
    return StoredBank.open(folder)


def _made(
    bank: StoredBank, factory: str, count: int, recall: float, progress: Progress
) -> dict[What, IndexAbout]:
    """Make and write the indexes of all that a bank can be searched by; raises as `index_bank`."""
    made: dict[What, IndexAbout] = {}
    for what, rows in _rows(bank).items():
        unfinished = bank.folder / INDEXES / f"{what}.new"
        with cannot_be_written(bank.folder / INDEXES):
            unfinished.touch()
        ticks = ticking(progress, f"index {what}", len(bank))
        with ticks as tick, bank.naming_rows(what):
            index = ApproximateIndex.build(rows, factory, count=count, recall=recall, tick=tick)
        about = index.save(unfinished)
        with cannot_be_written(unfinished):  # its name tells its content: none is written over
            unfinished.rename(index_file(bank.folder, what, about))
        made[what] = about
    return made


def remove_index(folder: Path | str, factory: str) -> StoredBank:
    """Remove an index of a bank; gives the bank without it.

    Raises:
        DataError: There is no bank, it has no such index, or another process makes one.
        OutputError: The folder cannot be written.
    """
    folder = Path(folder)
    index_of(StoredBank.open(folder), factory)
    with _alone(folder):
        _write(folder, factory, None)
        _tidy(folder)
    return StoredBank.open(folder)


def index_of(bank: StoredBank, factory: str) -> BankIndex:
    """What a bank's manifest says of an index.

    Raises:
        DataError: The bank has no index of this name; names those it has.
    """
    known = bank.manifest.index(factory)
    if known is None:
        others = ", ".join(index.factory for index in bank.manifest.indexes)
        has = f"has {others}" if others else "has none"
        where = paths.shown(bank.folder)
        raise DataError(
            f"{where}: no index {factory!r:.80} ({has}); `unprompt bank index {where} "
            f"{factory:.80}` makes it"
        )
    return known


def check_index(bank: StoredBank, factory: str, recall: float) -> BankIndex:
    """What a bank's manifest says of an index that is going to be used.

    Raises:
        DataError: There is none of this name, or it finds less than ``recall``.
    """
    known = index_of(bank, factory)
    for what, about in known.parts.items():
        about.check(recall, f"{paths.shown(bank.folder)}: {what}")
    return known


def open_index(bank: StoredBank, factory: str, what: What, recall: float) -> ApproximateIndex:
    """Read a bank's index of its keys or its targets into memory; how good it is, is logged.

    Raises:
        DataError: There is none of this name, it finds less than ``recall``, or it is damaged.
    """
    known = index_of(bank, factory)
    about = known.parts[what]
    shown = paths.shown(bank.folder)
    about.check(recall, f"{shown}: {what}")
    index = ApproximateIndex.load(index_file(bank.folder, what, about), about, _rows(bank)[what])
    _say(f"{shown}: {what} are searched approximately: index {factory}: {about.quality}")
    return index


@lru_cache
def _say(line: str) -> None:
    """Log a line once in a process: a member opens an index several times."""
    log.warning("%s", line)  # what is shown without being asked for: neighbours may be missing


def _rows(bank: StoredBank) -> dict[What, Sequence[Rows]]:
    """What a bank can be searched by."""
    return {**({"keys": bank.keys} if bank.keys else {}), "targets": bank.targets}


def _write(folder: Path, factory: str, index: BankIndex | None) -> None:
    """Change the manifest, by rename: from then on the index counts."""
    manifest: BankManifest = read_manifest(folder)
    indexes = [known for known in manifest.indexes if known.factory != factory]
    indexes += [] if index is None else [index]
    write_manifest(folder, manifest.model_copy(update={"indexes": tuple(indexes)}))


def _tidy(folder: Path) -> None:
    """Remove files of indexes that the manifest does not name: replaced, removed, or unfinished."""
    known = set(read_manifest(folder).index_files(folder))
    with suppress(OSError):
        for path in [*(folder / INDEXES).iterdir()]:
            if path not in known:
                with suppress(OSError):  # a folder, which a killed process has left: others go
                    path.unlink()
        remove_abandoned(folder / INDEXES)
        (folder / INDEXES).rmdir()  # fails where an index is left


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a bank's indexes, which is on its folder: no file is left over.

    Raises:
        DataError: Another process has it.
    """
    with cannot_be_written(folder):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not take_lock(handle, wait=False):
            raise DataError(
                f"{paths.shown(folder)}: another process makes an index of this bank right now"
            )
        yield
    finally:
        os.close(handle)
