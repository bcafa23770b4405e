"""Approximate search: a faiss index of codes in memory, its shortlist scored from the rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from unprompt._files.hashing import file_hash
from unprompt._files.paths import is_file, shown
from unprompt.bank.search.effort import Effort, efforts_of, set_effort
from unprompt.bank.search.exact import search_exact
from unprompt.bank.search.filling import (
    new_index,
    parts_of,
    refusals,
    saved_index,
    training_rows,
)
from unprompt.bank.search.neighbours import Neighbours, Rows, check_count, fitting
from unprompt.bank.search.quality import Quality, exact_of, quality_of, sample_queries
from unprompt.bank.search.rescoring import rescored
from unprompt.bank.search.tiles import StoredRows
from unprompt.errors import DataError
from unprompt.types import FloatArray

LEAST_RECALL = 0.99
"""The recall below which an index is only used if its user says so."""
SHORTLIST = 10
"""Length of a shortlist as a multiple of K."""

log = logging.getLogger(__name__)


class IndexAbout(BaseModel):
    """What is known of an index beside its file.

    Attributes:
        factory: faiss's name of the index, such as ``IVF4096,RaBitQ4``.
        rows: Rows of the bank that it was made of.
        dims: C.
        probes: Lists that are searched; None: the index has no lists.
        beam: Rows of a graph that are kept in sight; None: the index is no graph.
        quality: As measured when it was built.
        bytes: Of the index file; 0: it is in none yet.
        sha256: Of the index file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    factory: str
    rows: int = Field(ge=1)
    dims: int = Field(ge=1)
    probes: int | None = Field(ge=1)
    beam: int | None = Field(default=None, ge=1)
    quality: Quality
    bytes: int = Field(default=0, ge=0)
    sha256: str = ""

    def check(self, recall: float, owner: str) -> None:
        """Refuse an index that finds too little.

        Args:
            recall: What it has to find at least.
            owner: Whose it is, for the error line.

        Raises:
            DataError: Less was measured.
        """
        if self.quality.recall < recall:
            raise DataError(
                f"{owner}: index {self.factory}: {self.quality}; that is below recall {recall:g}, "
                "which a lower `recall` would allow"
            )


@dataclass(frozen=True, slots=True, eq=False)
class ApproximateIndex:
    """An index of a bank's rows.

    Attributes:
        about: What it is, and how good.
        bank: The rows.
    """

    about: IndexAbout
    bank: StoredRows
    _index: Any

    @classmethod
    def build(
        cls,
        shards: Sequence[Rows],
        factory: str,
        *,
        count: int = 100,
        recall: float = LEAST_RECALL,
        tick: Callable[[int], None] = lambda rows: None,
    ) -> ApproximateIndex:
        """Train and fill an index, and measure it.

        More and more of its lists, or of its graph, are searched until the recall is reached or
        all are.

        Args:
            shards: The rows, as `search_exact` takes them.
            factory: A name that faiss's ``index_factory`` knows.
            count: K that the recall is measured at.
            recall: The aim.
            tick: Is told how many more rows are in the index.

        Raises:
            DataError: faiss does not know the name or cannot make the index of these rows.
        """
        bank = StoredRows(shards)
        if not len(bank):
            raise DataError("a bank without rows has no index")
        with refusals(f"index {factory!r}"):
            index = new_index(bank.dims, factory)
            index.train(training_rows(bank))
            for part in parts_of(bank):
                index.add(part)
                tick(len(part))
        queries = sample_queries(bank)
        truth, seconds = exact_of(queries, bank, min(count, len(bank)))
        for effort in efforts_of(index, len(bank)):
            made = cls._of(index, factory, bank, effort)
            if made._covered(queries, truth) >= recall:
                break
        quality = quality_of(made._found, queries, truth, seconds)
        log.info("index %s, %s: %s", factory, effort, quality)
        return replace(made, about=made.about.model_copy(update={"quality": quality}))

    @classmethod
    def _of(cls, index: Any, factory: str, bank: StoredRows, effort: Effort) -> ApproximateIndex:
        set_effort(index, effort)
        unmeasured = Quality(recall=0, count=1, queries=1, milliseconds=0, exact_milliseconds=0)
        about = IndexAbout(
            factory=factory,
            rows=len(bank),
            dims=bank.dims,
            probes=effort.probes,
            beam=effort.beam,
            quality=unmeasured,
        )
        return cls(about, bank, index)

    def search(
        self, queries: FloatArray, count: int, *, recall: float = LEAST_RECALL
    ) -> Neighbours:
        """The K nearest rows that the index finds, with the scores that exact search gives.

        Queries for which it finds fewer than K are searched for exactly.

        Args:
            queries: float32 of shape (n, C).
            count: K, at least 1; a smaller bank gives fewer.
            recall: What has to have been measured at least.

        Raises:
            DataError: The recall is too low, the queries do not fit, or a number is not finite.
            ValueError: ``count`` is below 1.
        """
        self.about.check(recall, "approximate search")
        check_count(count)
        return self._found(fitting(queries, self.about.dims), min(count, self.about.rows))

    def _covered(self, queries: FloatArray, truth: Neighbours) -> float:
        """The share of true neighbours in the shortlists: the recall, but for ties.

        Scoring the shortlists, which takes most of the time, loses none of them.
        """
        shortlists = self._shortlists(queries, truth.rows.shape[1])
        pairs = zip(truth.rows, shortlists, strict=True)
        return float(np.mean([np.isin(rows, shortlist).mean() for rows, shortlist in pairs]))

    def _shortlists(self, queries: FloatArray, count: int) -> npt.NDArray[np.int64]:
        """Rows that may be near, `SHORTLIST` times as many as are asked for."""
        shortlists: npt.NDArray[np.int64]
        _, shortlists = self._index.search(queries, min(SHORTLIST * count, self.about.rows))
        return shortlists

    def _found(self, queries: FloatArray, count: int) -> Neighbours:
        rows = np.ascontiguousarray(queries, np.float32)
        shortlists = self._shortlists(rows, count)
        (enough,) = np.nonzero((shortlists >= 0).sum(axis=1) >= count)
        if len(enough) == len(rows):
            return rescored(rows, self.bank, shortlists, count)
        near = search_exact(rows, self.bank, count)  # those that the index fills replace them
        if len(enough):
            part = rescored(rows[enough], self.bank, shortlists[enough], count)
            near.cosines[enough], near.rows[enough] = part.cosines, part.rows
        return near

    def save(self, path: Path) -> IndexAbout:
        """Write the index, by rename; gives what is known of it, with its file's checksum.

        Raises:
            OutputError: It cannot be written.
        """
        written = saved_index(self._index, path)
        update = {"bytes": written.bytes, "sha256": written.sha256}
        return self.about.model_copy(update=update)

    @classmethod
    def load(cls, path: Path, about: IndexAbout, shards: Sequence[Rows]) -> ApproximateIndex:
        """Read what `save` wrote, for the bank that it was built of.

        Args:
            path: The file.
            about: What `save` gave.
            shards: The rows, as `search_exact` takes them.

        Raises:
            DataError: The file is missing, damaged or of another bank; names it.
        """
        import faiss

        bank = StoredRows(shards)
        if (about.rows, about.dims) != (len(bank), bank.dims):
            raise DataError(
                f"{shown(path)}: of {about.rows} rows of {about.dims} numbers; the bank has "
                f"{len(bank)} of {bank.dims}"
            )
        if not is_file(path):
            raise DataError(f"{shown(path)}: no such file")
        if file_hash(path) != about.sha256:
            raise DataError(f"{shown(path)}: cut or changed since the index was made")
        with refusals(shown(path)):
            # No vector of an index is longer than its file; compressed ones do not exist.
            faiss.set_deserialization_vector_byte_limit(path.stat().st_size)
            index = faiss.read_index(str(path))
            set_effort(index, Effort(about.probes, about.beam))
        if (index.ntotal, index.d) != (about.rows, about.dims):
            raise DataError(f"{shown(path)}: holds {index.ntotal} rows of {index.d} numbers")
        return cls(about, bank, index)
