"""A bank on disk, opened for reading: its rows stay there until they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from unprompt._files import paths
from unprompt.bank.search.neighbours import BadRow
from unprompt.bank.store.arrays import HalfArray, allow_open, map_rows
from unprompt.bank.store.manifest import (
    KEYS,
    MANIFEST,
    PROMPTS,
    TARGETS,
    BankManifest,
    read_manifest,
    shard_folder,
)
from unprompt.bank.store.progress import check_bank
from unprompt.bank.store.texts import PromptFiles
from unprompt.errors import DataError

if TYPE_CHECKING:
    from unprompt.types import FloatArray

What = Literal["keys", "targets"]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class StoredBank:
    """Known prompts on disk, read-only and memory-mapped; see `StoredBank.open`.

    Attributes:
        folder: Where it lies.
        manifest: What it says of itself.
        keys: CLIP text embeddings, float16 unit rows of shape (b, C) a shard; empty where the
            bank has none.
        targets: Embeddings in the target space, float16 unit rows of shape (b, D) a shard.
    """

    folder: Path
    manifest: BankManifest
    keys: tuple[np.memmap[Any, Any], ...]
    targets: tuple[np.memmap[Any, Any], ...]
    _prompts: PromptFiles
    _ends: Rows

    @classmethod
    def open(cls, folder: Path | str) -> StoredBank:
        """Open a finished bank.

        The sizes of all files are compared with the manifest's; `verify` compares their bytes.

        Raises:
            DataError: There is no bank, it is unfinished or damaged, or a file of it is missing
                or cut; the line names it.
        """
        folder = Path(folder)
        check_bank(folder)
        manifest = read_manifest(folder)
        for shard in manifest.shards:
            for name, checksum in shard.files.items():
                _check_size(shard_folder(folder, shard.name) / name, checksum.bytes)
        allow_open(len(manifest.shards) * len(manifest.widths))
        arrays = {
            name: tuple(
                map_rows(shard_folder(folder, shard.name) / name, (shard.rows, width))
                for shard in manifest.shards
            )
            for name, width in manifest.widths.items()
        }
        files = [shard_folder(folder, shard.name) / PROMPTS for shard in manifest.shards]
        rows = [shard.rows for shard in manifest.shards]
        ends = np.cumsum(rows, dtype=np.int64)
        keys, targets = arrays.get(KEYS, ()), arrays[TARGETS]
        return cls(folder, manifest, keys, targets, PromptFiles(files, rows), ends)

    def __len__(self) -> int:
        """B, the number of prompts."""
        return self.manifest.rows

    def text(self, row: int) -> str:
        """The prompt of one row. Raises DataError where its file is damaged."""
        shard, local = self._place(row)
        return self._prompts.text(shard, local)

    def texts(self, rows: Sequence[int] | Rows) -> list[str]:
        """The prompts of rows, in that order. Raises as `text`."""
        return [self.text(int(row)) for row in rows]

    def counts(self, rows: Sequence[int] | Rows) -> Rows:
        """How often the prompts of rows occurred, int64 of shape (n,). Raises as `text`."""
        places = (self._place(int(row)) for row in rows)
        return np.array([self._prompts.count(*place) for place in places], np.int64)

    def prompts(self) -> Iterator[tuple[list[str], list[int]]]:
        """Every prompt with its count, in the order of rows, some thousand at a time.

        Raises:
            DataError: A file is damaged.
        """
        for shard in range(len(self.manifest.shards)):
            yield from self._prompts.batches(shard)

    def take(self, what: What, rows: npt.ArrayLike) -> FloatArray:
        """Rows of the bank in 32 bits, scaled to unit length again.

        Args:
            what: ``keys`` (C columns) or ``targets`` (D columns).
            rows: Row numbers of any shape.

        Returns:
            float32 of the shape of ``rows`` and then the columns.

        Raises:
            DataError: A row is not finite; names it.
            IndexError: There is no such row.
        """
        taken = self.halves(what, rows).astype(np.float32)
        lengths = np.sqrt(np.einsum("...d,...d->...", taken, taken))[..., None]
        np.divide(taken, lengths, out=taken, where=lengths > 0)
        return taken

    def halves(self, what: What, rows: npt.ArrayLike) -> HalfArray:
        """As `take`, but the 16 bits as they are."""
        numbers = np.asarray(rows, np.int64)
        flat = numbers.reshape(-1)
        if len(flat) and not 0 <= flat.min() <= flat.max() < len(self):
            raise IndexError(f"rows {flat.min()} to {flat.max()} of a bank of {len(self)}")
        arrays: tuple[np.memmap[Any, Any], ...] = getattr(self, what)
        width = self.manifest.widths[f"{what}.npy"]
        result = np.empty((len(flat), width), np.float16)
        shards = np.searchsorted(self._ends, flat, side="right")
        for shard in np.unique(shards):
            (places,) = np.nonzero(shards == shard)
            places = places[np.argsort(flat[places], kind="stable")]  # forward over the disk
            start = self._ends[shard] - self.manifest.shards[shard].rows
            result[places] = arrays[shard][flat[places] - start]
        finite = np.isfinite(result).all(axis=1)
        if not finite.all():
            with self.naming_rows(what):
                raise BadRow(int(flat[finite.argmin()]), "not finite")
        return result.reshape(*numbers.shape, width)

    @contextmanager
    def naming_rows(self, what: What) -> Iterator[None]:
        """Have the line for a row that cannot be searched name the file that it is in."""
        try:
            yield
        except BadRow as error:
            shard, local = self._place(error.row)
            name = self.manifest.shards[shard].name
            path = shard_folder(self.folder, name) / f"{what}.npy"
            raise DataError(
                f"{paths.shown(path)}: row {local + 1} is {error.problem}: the file is damaged"
            ) from error

    def _place(self, row: int) -> tuple[int, int]:
        """The shard of a row and its number in there."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of a bank of {len(self)}")
        shard = int(np.searchsorted(self._ends, row, side="right"))
        return shard, row - int(self._ends[shard]) + self.manifest.shards[shard].rows


def _check_size(path: Path, size: int) -> None:
    shown = paths.shown(path)
    if not paths.is_file(path):
        raise DataError(f"{shown}: no such file; the bank's {MANIFEST} names it")
    has = path.stat().st_size
    if has != size:
        what = "cut" if has < size else "changed"
        raise DataError(f"{shown}: {what}: {has:,} bytes, not {size:,}")
