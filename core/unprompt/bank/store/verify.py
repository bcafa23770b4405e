"""Comparing every byte of a bank with its checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from unprompt._files import paths
from unprompt._files.reading import open_file, reading
from unprompt.bank.store.manifest import (
    DONE,
    MANIFEST,
    is_as_written,
    is_done_as_written,
    read_manifest,
    shard_folder,
)
from unprompt.bank.store.progress import check_bank
from unprompt.bank.store.ticks import ticking
from unprompt.contracts import Progress, silent
from unprompt.errors import DataError

PIECE = 1 << 20
"""Bytes that are read at a time, and that progress counts: a MB."""


def verify(folder: Path | str, progress: Progress = silent) -> int:
    """Read every file of a bank, the manifest too, and compare it with its SHA-256.

    Args:
        folder: The bank.
        progress: Is shown the number of MB.

    Returns:
        Bytes that were read, without those of the manifest and of the shards' marks.

    Raises:
        DataError: There is no finished bank; or files are missing, cut or changed: one line each.
    """
    folder = Path(folder)
    check_bank(folder)
    manifest = read_manifest(folder)
    files = {
        shard_folder(folder, shard.name) / name: checksum
        for shard in manifest.shards
        for name, checksum in shard.files.items()
    } | manifest.index_files(folder)
    pieces = sum(-(-checksum.bytes // PIECE) for checksum in files.values())
    problems = list[str]()
    if not is_as_written(folder):
        problems.append(f"{paths.shown(folder / MANIFEST)}: changed since it was written")
    for shard in manifest.shards:
        mark = shard_folder(folder, shard.name) / DONE
        try:
            if not is_done_as_written(folder, shard):
                problems.append(f"{paths.shown(mark)}: changed since {MANIFEST} was written")
        except DataError as error:
            problems += error.problems
    with ticking(progress, "verify MB", pieces) as tick:
        for path, checksum in files.items():
            try:
                size, digest = _digest(path, tick)
            except DataError as error:
                problems += error.problems
                continue
            if size != checksum.bytes:
                what = "cut" if size < checksum.bytes else "changed"
                problems.append(
                    f"{paths.shown(path)}: {what}: {size:,} bytes, not {checksum.bytes:,}"
                )
            elif digest != checksum.sha256:
                problems.append(f"{paths.shown(path)}: changed since {MANIFEST} was written")
    if problems:
        raise DataError(problems)
    return manifest.bytes


def _digest(path: Path, tick: Callable[[int], None]) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    digest, size = hashlib.sha256(), 0
    with open_file(path) as file:
        while True:
            with reading(path):
                piece = file.read(PIECE)
            if not piece:
                return size, digest.hexdigest()
            digest.update(piece)
            size += len(piece)
            tick(1)
