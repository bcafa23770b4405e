"""The first stage of a build: sources are read and cleaned into the shards' prompts, in order."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from unprompt._files.checksums import Checksum
from unprompt._files.reading import read_typed
from unprompt._files.refusals import cannot_be_written
from unprompt._files.writing import write_text
from unprompt.bank.building.folders import ORDER, SPILL, building
from unprompt.bank.building.spill import Row, Spill, digest
from unprompt.bank.sources.counting import MOST
from unprompt.bank.store.manifest import (
    LIMIT,
    PROMPTS,
    BankFilter,
    BankSource,
    shard_folder,
    shard_name,
)
from unprompt.bank.store.progress import COLLECTED
from unprompt.bank.store.texts import write_prompts
from unprompt.bank.store.ticks import ticking
from unprompt.contracts import Progress
from unprompt.errors import DataError, named

Numbers = npt.NDArray[np.int64]


class SourcePrompt(Protocol):
    """A prompt of a source, and how often it occurs there."""

    @property
    def text(self) -> str:
        """The prompt."""

    @property
    def count(self) -> int:
        """At least 1."""


class PromptSource(Protocol):
    """Where prompts come from: see `unprompt.bank.sources`."""

    @property
    def name(self) -> str:
        """The last part of its path."""

    @property
    def kind(self) -> str:
        """Its format."""

    @property
    def sha256(self) -> str:
        """Of its content."""

    def prompts(self) -> Iterator[Sequence[SourcePrompt]]:
        """Its prompts in their order, some thousand at a time; those without text are empty."""


class TextFilter(Protocol):
    """Says which prompts are left out."""

    @property
    def name(self) -> str:
        """As the manifest names it."""

    @property
    def value(self) -> int | float | str | None:
        """Its limit or pattern."""

    def keeps(self, text: str) -> bool:
        """Whether a prompt stays."""


class Part(BaseModel):
    """The prompts of a shard: rows, and the checksum of their file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(ge=1)
    prompts: Checksum


class Collected(BaseModel):
    """What the first stage found.

    Attributes:
        sources: With what was read and kept of each.
        filters: With what each left out.
        counted: The sum of all counts.
        parts: The shards.
        ends: For each source the number behind its last row, over all sources.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: list[BankSource]
    filters: list[BankFilter]
    counted: int
    parts: list[Part]
    ends: list[int]


def read_collected(folder: Path) -> Collected:
    """Read what `collect` wrote last. Raises DataError where it is damaged."""
    return read_typed(building(folder) / COLLECTED, TypeAdapter(Collected), limit=LIMIT)


def collect(
    folder: Path,
    sources: Sequence[PromptSource],
    filters: Sequence[TextFilter],
    *,
    folded: Callable[[str], str],
    shard_rows: int,
    progress: Progress,
) -> Collected:
    """Read and clean all sources into the prompts of shards.

    Memory is bounded, whatever the sources hold: see `Spill`.

    Args:
        folder: The bank's.
        sources: In their order.
        filters: Prompts that one of them does not keep are left out.
        folded: What makes two prompts the same.
        shard_rows: Rows of a shard.
        progress: Is shown the number of prompts that were read, equal ones of a batch once.

    Raises:
        DataError: A source is broken, or no prompt is left.
        OutputError: The folder cannot be written.
    """
    reading = _Reading(sources, filters, folded)
    spill = Spill(building(folder) / SPILL)
    with ticking(progress, "read prompts") as tick:
        for row in reading.rows(tick):
            spill.add(*row)
    parts, kept, counted = list[Part](), np.zeros(len(sources), np.int64), 0
    for shard in _cut(spill.merged(), shard_rows):
        parts.append(_write(folder, len(parts), len(parts) * shard_rows, shard))
        counted += int(shard[1].sum())
        owners = np.searchsorted(reading.ends, shard[0], side="right")
        kept += np.bincount(owners, minlength=len(sources))
    shutil.rmtree(building(folder) / SPILL, ignore_errors=True)
    collected = reading.collected(parts, kept.tolist(), counted)
    if not parts:
        raise DataError(_nothing(collected))
    write_text(building(folder) / COLLECTED, collected.model_dump_json(indent=2) + "\n")
    return collected


class _Reading:
    """The rows of all sources that filters keep, numbered over all sources."""

    def __init__(
        self,
        sources: Sequence[PromptSource],
        filters: Sequence[TextFilter],
        folded: Callable[[str], str],
    ) -> None:
        self._sources, self._filters, self._folded = sources, filters, folded
        self.ends: list[int] = []
        self.read = [0] * len(sources)
        self.dropped = [0] * (len(filters) + 1)

    def rows(self, tick: Callable[[int], None]) -> Iterator[tuple[int, int, bytes, str]]:
        number = 0
        for place, source in enumerate(self._sources):
            for batch in source.prompts():
                occurred = 0
                for prompt in batch:
                    occurred += prompt.count
                    if self._kept(prompt.text, prompt.count):
                        key = digest(self._folded(prompt.text))
                        yield number, prompt.count, key, prompt.text
                    number += 1
                self.read[place] += occurred
                if sum(self.read) > MOST:
                    raise DataError(f"{source.name}: all counts together are more than {MOST:,}")
                tick(len(batch))  # not the counts: a step for each of 10^12 takes days
            self.ends.append(number)

    def _kept(self, text: str, count: int) -> bool:
        if not text:
            self.dropped[0] += count
            return False
        for place, rule in enumerate(self._filters, start=1):
            if not rule.keeps(text):
                self.dropped[place] += count
                return False
        return True

    def collected(self, parts: list[Part], kept: list[int], counted: int) -> Collected:
        sources = [
            BankSource(name=s.name, kind=s.kind, sha256=s.sha256, read=rows, kept=first)
            for s, rows, first in zip(self._sources, self.read, kept, strict=True)
        ]
        filters = [BankFilter(name="empty", dropped=self.dropped[0])]
        for rule, count in zip(self._filters, self.dropped[1:], strict=True):
            filters.append(BankFilter(name=rule.name, value=rule.value, dropped=count))
        return Collected(
            sources=sources, filters=filters, counted=counted, parts=parts, ends=self.ends
        )


def _cut(rows: Iterable[Row], shard_rows: int) -> Iterator[tuple[Numbers, Numbers, list[str]]]:
    """Numbers, counts and texts of one shard after the other."""
    iterator = iter(rows)
    while part := list(islice(iterator, shard_rows)):
        numbers, counts, texts = zip(*part, strict=True)
        yield np.array(numbers, np.int64), np.array(counts, np.int64), list(texts)


def _write(
    folder: Path, number: int, start: int, shard: tuple[Numbers, Numbers, list[str]]
) -> Part:
    """The prompts of a shard, and which rows of the sources they are."""
    numbers, counts, texts = shard
    at, order = shard_folder(folder, shard_name(number)), order_file(folder, number)
    with cannot_be_written(at):
        at.mkdir(parents=True)
        order.parent.mkdir(exist_ok=True)
    with cannot_be_written(order):
        np.save(order, numbers, allow_pickle=False)
    return Part(rows=len(texts), prompts=write_prompts(at / PROMPTS, start, texts, counts))


def order_file(folder: Path, number: int) -> Path:
    """Where the numbers of a shard's rows, over all sources, are kept while a bank is built."""
    return building(folder) / ORDER / f"{shard_name(number)}.npy"


def _nothing(collected: Collected) -> str:
    """Why there is no prompt."""
    read = sum(source.read for source in collected.sources)
    if not read:
        return f"no prompt in {named([source.name for source in collected.sources])}"
    reasons = ", ".join(
        f"{part.dropped:,} by {part.name}" for part in collected.filters if part.dropped
    )
    return f"no prompt is left of {read:,}: {reasons}"
