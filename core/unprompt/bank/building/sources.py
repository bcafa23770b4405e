"""The sources of a build: files and folders as `unprompt.bank.sources` reads them, and banks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from unprompt._files.hashing import content_hash, file_hash
from unprompt._files.paths import absolute
from unprompt.bank.building.collect import SourcePrompt
from unprompt.bank.sources import SourceSpec, read_source, source_files, source_kind
from unprompt.bank.store.stored import StoredBank, What

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from unprompt.bank.store.arrays import HalfArray
    from unprompt.types import PlainData


@dataclass(frozen=True)
class OpenedSource:
    """A source that is there, and of a known kind.

    Attributes:
        spec: What was named.
    """

    spec: SourceSpec

    @property
    def name(self) -> str:
        """The last part of its path: the same wherever the source lies."""
        return absolute(self.spec.path).name

    @cached_property
    def kind(self) -> str:
        """Its format. Raises DataError where it has none that is known."""
        return source_kind(self.spec.path)

    @cached_property
    def sha256(self) -> str:
        """Of its file, or of all its files; of a bank, without indexes, whatever it was made for.

        Raises:
            DataError: A file cannot be read.
        """
        if self.bank is not None:
            return self.bank.manifest.identity
        sums = [file_hash(path) for path in source_files(self.spec.path)]
        return sums[0] if len(sums) == 1 else content_hash(sums)

    @cached_property
    def bank(self) -> StoredBank | None:
        """The bank that it is. Raises DataError where that is damaged."""
        return StoredBank.open(self.spec.path) if self.kind == "bank" else None

    @property
    def request(self) -> PlainData:
        """What a build asks of it."""
        return [self.kind, self.sha256, self.spec.column, self.spec.count_column]

    def prompts(self) -> Iterator[Sequence[SourcePrompt]]:
        """See `read_source`."""
        return read_source(self.spec)


@dataclass(frozen=True, slots=True)
class BankRows:
    """One of the arrays of a bank that is a source."""

    bank: StoredBank
    what: What

    def halves(self, rows: npt.NDArray[np.int64]) -> HalfArray:
        """See `StoredBank.halves`."""
        return self.bank.halves(self.what, rows)
