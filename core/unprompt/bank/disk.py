"""A stored bank in the place of one in memory: rows are read when they are neighbours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, TypeAdapter

from unprompt._files import paths
from unprompt._files.reading import read_typed
from unprompt.bank.indexing import open_index
from unprompt.bank.interface import Bank, BankCounts, BankRows, BankTexts
from unprompt.bank.prompts import PromptBank
from unprompt.bank.search.approximate import LEAST_RECALL
from unprompt.bank.store.stored import StoredBank, What
from unprompt.contracts import Evidence, Runtime, TextEncoder
from unprompt.errors import DataError
from unprompt.types import PlainData

if TYPE_CHECKING:
    from unprompt.bank.search import ApproximateIndex, Neighbours, PreparedRows
    from unprompt.bank.source import BankConfig
    from unprompt.types import DoubleArray, FloatArray

REFERENCE = "bank.json"
"""What an artifact holds in the place of a bank: which one it was learned with."""


PREPARED = 2 << 30
"""Bytes of keys or targets up to which a copy for quick search is kept in memory: a member searches
batch by batch, and converts a bank each time otherwise. Larger ones stay on the disk."""


def read_bank(
    artifact: Path,
    config: BankConfig,
    backbone: Mapping[str, PlainData] | None,
    text_encoder: TextEncoder | None,
    runtime: Runtime,
) -> Bank:
    """The bank of an artifact: in it, or on disk, where `Bank.save` wrote only which one it is.

    Args:
        artifact: What a member learned.
        config: Its option, which says where a bank on disk lies.
        backbone: See `BankConfig.on_disk`.
        text_encoder: Of the target space; None: it is not known.
        runtime: Where a bank on disk is searched.

    Raises:
        DataError: A file is missing or damaged, or the bank on disk is another one by now.
    """
    if not paths.is_file(artifact / REFERENCE):
        return PromptBank.read(artifact)
    bank = config.on_disk(backbone, text_encoder, runtime)
    if bank is None:
        raise DataError(
            f"{paths.shown(artifact / REFERENCE)}: was made with a bank on disk, which "
            "`bank.folder` has to name"
        )
    bank.check(artifact, target_dim=None, key_dim=None)
    return bank


class _Reference(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    identity: str


@dataclass(frozen=True, slots=True)
class _Rows:
    bank: StoredBank
    what: What

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.bank), self.bank.manifest.widths.get(f"{self.what}.npy", 0)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> FloatArray:
        return self.bank.take(self.what, rows)


@dataclass(frozen=True, slots=True)
class _Texts:
    bank: StoredBank

    def __len__(self) -> int:
        return len(self.bank)

    def __getitem__(self, row: int) -> str:
        return self.bank.text(int(row))

    def __iter__(self) -> Iterator[str]:
        return (text for batch, _ in self.bank.prompts() for text in batch)


@dataclass(frozen=True, slots=True)
class _Counts:
    bank: StoredBank

    def __len__(self) -> int:
        return len(self.bank)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> DoubleArray:
        return self.bank.counts(rows.reshape(-1)).reshape(rows.shape).astype(np.float64)


@dataclass(frozen=True, slots=True)
class BankOnDisk:
    """A `Bank` on disk. Several members may search one: the system keeps one copy of its pages.

    Attributes:
        stored: The bank.
        device: Where it is searched.
        index: The index to search by; None: search is exact.
        recall: What that index has to have at least.
    """

    stored: StoredBank
    device: str = "cpu"
    index: str | None = None
    recall: float = LEAST_RECALL
    _prepared: dict[What, PreparedRows] = field(default_factory=dict)
    _indexes: dict[What, ApproximateIndex] = field(default_factory=dict)

    @property
    def prompts(self) -> BankTexts:
        """B prompts, read when they are asked for."""
        return _Texts(self.stored)

    @property
    def targets(self) -> BankRows:
        """Unit rows (B, D), read when they are asked for."""
        return _Rows(self.stored, "targets")

    @property
    def keys(self) -> BankRows:
        """Unit rows (B, C), read when they are asked for."""
        return _Rows(self.stored, "keys")

    def __len__(self) -> int:
        """B."""
        return len(self.stored)

    @property
    def counts(self) -> BankCounts:
        """How often each prompt occurred in the bank's sources, read when it is asked for."""
        return _Counts(self.stored)

    def parts(self, size: int) -> Iterator[tuple[list[str], FloatArray, FloatArray]]:
        """All of it in order, ``size`` prompts at a time: texts, keys (n, C), targets (n, D)."""
        for start in range(0, len(self), size):
            rows = np.arange(start, min(start + size, len(self)))
            yield self.stored.texts(rows), self.keys[rows], self.targets[rows]

    def in_memory(self) -> PromptBank:
        """All of it, in 32 bits."""
        rows = np.arange(len(self))
        texts = [text for batch, _ in self.stored.prompts() for text in batch]
        keys = self.stored.take("keys", rows) if self.stored.keys else None
        return PromptBank.of(texts, self.stored.take("targets", rows), keys)

    def save(self, folder: Path) -> None:
        """Write which bank it is: a bank may be larger than any artifact."""
        reference = {"identity": self.stored.manifest.identity}
        (folder / REFERENCE).write_text(json.dumps(reference) + "\n", encoding="utf-8")

    def check(self, folder: Path, *, target_dim: int | None, key_dim: int | None) -> None:
        """Check that it is the bank of an artifact, and fits a text encoder and a CLIP.

        Raises:
            DataError: It is another one by now, or of other widths.
        """
        known = read_typed(folder / REFERENCE, TypeAdapter(_Reference)).identity
        shown = paths.shown(self.stored.folder)
        if known != self.stored.manifest.identity:
            raise DataError(f"{shown}: is not the bank that {paths.shown(folder)} was made with")
        for what, rows, dim in (("target", self.targets, target_dim), ("key", self.keys, key_dim)):
            if dim is not None and rows.shape[1] != dim:
                raise DataError(f"{shown}: its {what} rows have {rows.shape[1]} numbers, not {dim}")

    def search_keys(
        self, queries: FloatArray, count: int
    ) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        """The ``count`` rows with the highest CLIP cosine; see `PromptBank`."""
        near = self._search("keys", queries, count)
        return near.cosines, near.rows

    def nearest(self, embeddings: FloatArray, count: int) -> list[tuple[Evidence, ...]]:
        """The prompts whose targets are nearest to rows (n, D), best first."""
        near = self._search("targets", embeddings, count)
        texts = {int(row): self.stored.text(int(row)) for row in np.unique(near.rows)}
        return [
            tuple(
                Evidence(texts[int(row)], float(cosine), "nearest")
                for cosine, row in zip(cosines, rows, strict=True)
            )
            for cosines, rows in zip(near.cosines, near.rows, strict=True)
        ]

    def _search(self, what: What, queries: FloatArray, count: int) -> Neighbours:
        """Exact search, or by the index, which is read when it is first needed."""
        from unprompt.bank.search import search_exact

        with self.stored.naming_rows(what):
            if self.index is None:
                return search_exact(queries, self._searched(what), count, device=self.device)
            if what not in self._indexes:
                self._indexes[what] = open_index(self.stored, self.index, what, self.recall)
            return self._indexes[what].search(queries, count, recall=self.recall)

    def _searched(self, what: What) -> PreparedRows | tuple[np.memmap[Any, Any], ...]:
        """What is searched: a copy in memory, made once, or the rows on the disk."""
        shards = self.stored.keys if what == "keys" else self.stored.targets
        if sum(shard.nbytes for shard in shards) > PREPARED:
            return shards
        if what not in self._prepared:
            from unprompt.bank.search import PreparedRows

            self._prepared[what] = PreparedRows(shards, device=self.device)
        return self._prepared[what]
