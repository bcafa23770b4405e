"""Writing a bank whose rows exist already, such as one without near-duplicates, or an import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from unprompt._data.space import TextSpace
from unprompt._files.refusals import room_needed
from unprompt._files.reserving import reserved_folder
from unprompt.bank.store.arrays import HalfArray, write_rows
from unprompt.bank.store.manifest import (
    KEYS,
    MANIFEST,
    PROMPTS,
    SHARDS,
    TARGETS,
    BankBackbone,
    BankFilter,
    BankManifest,
    BankShard,
    BankSource,
    shard_folder,
    shard_name,
    write_done,
    write_manifest,
)
from unprompt.bank.store.texts import write_prompts
from unprompt.errors import DataError

SHARD_ROWS = 65536
"""Rows of a shard, the last one's apart."""


@dataclass(slots=True)
class BankWriter:
    """Takes prompts with their rows and writes shards; see `writing_bank`."""

    folder: Path
    text_encoder: TextSpace
    target_dim: int
    backbone: BankBackbone | None
    shard_rows: int
    _shards: list[BankShard] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _counts: list[int] = field(default_factory=list)
    _parts: dict[str, list[HalfArray]] = field(default_factory=dict)
    _counted: int = 0

    def add(
        self,
        texts: Sequence[str],
        counts: Sequence[int] | npt.NDArray[np.int64],
        targets: HalfArray,
        keys: HalfArray | None = None,
    ) -> None:
        """Add n prompts.

        Args:
            texts: The prompts.
            counts: How often each occurred.
            targets: 16-bit unit rows of shape (n, D); `halved` gives such rows.
            keys: 16-bit unit rows of shape (n, C), where the bank has a backbone.

        Raises:
            OutputError: A shard cannot be written.
        """
        arrays = {TARGETS: targets, **({} if keys is None else {KEYS: keys})}
        widths = {TARGETS: self.target_dim}
        widths |= {} if self.backbone is None else {KEYS: self.backbone.dim}
        if {name: rows.shape for name, rows in arrays.items()} != {
            name: (len(texts), width) for name, width in widths.items()
        } or len(counts) != len(texts):
            raise ValueError("texts, counts and arrays of a bank have to fit each other")
        for start in range(0, len(texts), self.shard_rows):
            part = slice(start, start + self.shard_rows)
            self._texts += texts[part]
            self._counts += [int(count) for count in counts[part]]
            for name, rows in arrays.items():
                self._parts.setdefault(name, []).append(rows[part])
            if len(self._texts) >= self.shard_rows:
                self._write(self.shard_rows)

    def close(self, sources: Sequence[BankSource], filters: Sequence[BankFilter]) -> BankManifest:
        """Write what is left, and the manifest.

        Raises:
            DataError: No prompt was added.
            OutputError: It cannot be written.
        """
        while self._texts:
            self._write(min(self.shard_rows, len(self._texts)))
        if not self._shards:
            raise DataError("no prompt is left for a bank")
        manifest = BankManifest(
            rows=sum(shard.rows for shard in self._shards),
            counted=self._counted,
            text_encoder=self.text_encoder,
            target_dim=self.target_dim,
            backbone=self.backbone,
            sources=tuple(sources),
            filters=tuple(filters),
            shards=tuple(self._shards),
        )
        write_manifest(self.folder, manifest)
        return manifest

    def _write(self, rows: int) -> None:
        """The first rows as a shard."""
        number = len(self._shards)
        at = shard_folder(self.folder, shard_name(number))
        with room_needed(at):
            at.mkdir(parents=True)
        counts = np.array(self._counts[:rows], np.int64)
        start = number * self.shard_rows
        files = {PROMPTS: write_prompts(at / PROMPTS, start, self._texts[:rows], counts)}
        for name, parts in self._parts.items():
            whole = np.concatenate(parts)
            files[name] = write_rows(at / name, whole[:rows])
            self._parts[name] = [whole[rows:]]
        self._texts, self._counts = self._texts[rows:], self._counts[rows:]
        self._counted += int(counts.sum())
        shard = BankShard(name=at.name, rows=rows, files=files)
        write_done(self.folder, shard)
        self._shards.append(shard)


@contextmanager
def writing_bank(
    folder: Path,
    text_encoder: TextSpace,
    target_dim: int,
    backbone: BankBackbone | None = None,
    *,
    shard_rows: int = SHARD_ROWS,
) -> Iterator[BankWriter]:
    """Write a bank whose rows exist already; it appears when it is closed, and else not at all.

    Args:
        folder: A new folder, or an empty one.
        text_encoder: Whose space the targets are in.
        target_dim: D.
        backbone: Whose space the keys are in; None: there are none.
        shard_rows: Rows of a shard.

    Raises:
        OutputError: The folder is taken or cannot be written.
    """
    with reserved_folder(folder, last=(SHARDS, MANIFEST)) as reservation:
        yield BankWriter(reservation.folder, text_encoder, target_dim, backbone, shard_rows)
        if (reservation.folder / MANIFEST).is_file():
            reservation.finish()
