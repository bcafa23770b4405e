"""Approximate search: a faiss index of codes in memory, its shortlist scored from the rows."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from unprompt._files.hashing import file_hash
from unprompt._files.paths import shown
from unprompt._files.writing import replacing, write_json
from unprompt.artifacts import read_json
from unprompt.bank.search.filling import parts_of, probes_of, refusals, set_probes, training_rows
from unprompt.bank.search.neighbours import Neighbours, Rows
from unprompt.bank.search.quality import Quality, exact_of, quality_of, sample_queries
from unprompt.bank.search.rescoring import rescored
from unprompt.bank.search.tiles import StoredRows
from unprompt.errors import DataError
from unprompt.types import FloatArray

INDEX, ABOUT = "index.faiss", "index.json"
LEAST_RECALL = 0.99
SHORTLIST = 10
"""Length of a shortlist as a multiple of K."""

log = logging.getLogger(__name__)


class About(BaseModel):
    """What lies beside an index.

    Attributes:
        factory: faiss's name of the index, such as ``IVF4096,RaBitQ4``.
        rows: Rows of the bank that it was made of.
        dims: C.
        probes: Lists that are searched; None: the index has no lists.
        quality: As measured when it was built.
        sha256: Of the index file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(default=1, ge=1, le=1)
    factory: str
    rows: int = Field(ge=1)
    dims: int = Field(ge=1)
    probes: int | None = Field(ge=1)
    quality: Quality
    sha256: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ApproximateIndex:
    """An index of a bank's rows.

    Attributes:
        about: What it is, and how good.
        bank: The rows.
    """

    about: About
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
    ) -> ApproximateIndex:
        """Train and fill an index, and measure it.

        More and more of its lists are searched until the recall is reached, or all are.

        Args:
            shards: The rows, as `search_exact` takes them.
            factory: A name that faiss's ``index_factory`` knows.
            count: K that the recall is measured at.
            recall: The aim.

        Raises:
            DataError: faiss does not know the name or cannot make the index of these rows.
        """
        import faiss

        bank = StoredRows(shards)
        if not len(bank):
            raise DataError("a bank without rows has no index")
        with refusals(f"index {factory!r}"):
            index = faiss.index_factory(bank.dims, factory, faiss.METRIC_INNER_PRODUCT)
            index.train(training_rows(bank))
            for part in parts_of(bank):
                index.add(part)
        queries = sample_queries(bank)
        truth, seconds = exact_of(queries, bank, min(count, len(bank)))
        for probes in probes_of(index):
            made = cls._of(index, factory, bank, probes)
            quality = quality_of(made._found, queries, truth, seconds)
            made = replace(made, about=made.about.model_copy(update={"quality": quality}))
            log.info("index %s with %s lists searched: %s", factory, probes or "no", quality)
            if quality.recall >= recall:
                break
        return made

    @classmethod
    def _of(
        cls, index: Any, factory: str, bank: StoredRows, probes: int | None
    ) -> ApproximateIndex:
        set_probes(index, probes)
        unmeasured = Quality(recall=0, count=1, queries=1, milliseconds=0, exact_milliseconds=0)
        about = About(
            factory=factory, rows=len(bank), dims=bank.dims, probes=probes, quality=unmeasured
        )
        return cls(about, bank, index)

    def search(
        self, queries: FloatArray, count: int, *, accept_low_recall: bool = False
    ) -> Neighbours:
        """The K nearest rows that the index finds, with the scores that exact search gives.

        Args:
            queries: float32 of shape (n, C).
            count: K; a smaller bank gives fewer.
            accept_low_recall: Search although less than `LEAST_RECALL` was measured.

        Raises:
            DataError: The recall is too low, the index finds fewer than K rows, the queries do
                not fit, or a number is not finite.
        """
        quality = self.about.quality
        if quality.recall < LEAST_RECALL and not accept_low_recall:
            raise DataError(
                f"index {self.about.factory}: {quality}; below {LEAST_RECALL}, so it has to be "
                "accepted explicitly"
            )
        if queries.ndim != 2 or queries.shape[1] != self.about.dims:
            raise DataError(
                f"queries of shape {queries.shape} do not fit rows of {self.about.dims} numbers"
            )
        log.info("index %s: %s", self.about.factory, quality)
        return self._found(queries, min(count, self.about.rows))

    def _found(self, queries: FloatArray, count: int) -> Neighbours:
        rows = np.ascontiguousarray(queries, np.float32)
        _, shortlists = self._index.search(rows, min(SHORTLIST * count, self.about.rows))
        return rescored(rows, self.bank, shortlists, count)

    def save(self, folder: Path) -> None:
        """Write ``index.faiss``, then ``index.json``, by rename.

        Raises:
            OutputError: They cannot be written.
        """
        import faiss

        with replacing(folder / INDEX) as part:
            part.write_bytes(faiss.serialize_index(self._index).tobytes())
        about = self.about.model_copy(update={"sha256": file_hash(folder / INDEX)})
        write_json(folder / ABOUT, json.loads(about.model_dump_json()))

    @classmethod
    def load(cls, folder: Path, shards: Sequence[Rows]) -> ApproximateIndex:
        """Read what `save` wrote, for the bank that it was built of.

        Raises:
            DataError: A file is missing, damaged or of another bank; names it.
        """
        import faiss

        bank, path = StoredRows(shards), folder / INDEX
        about: About = read_json(folder / ABOUT, About)
        if (about.rows, about.dims) != (len(bank), bank.dims):
            raise DataError(
                f"{shown(folder / ABOUT)}: of {about.rows} rows of {about.dims} numbers; the bank "
                f"has {len(bank)} of {bank.dims}"
            )
        if file_hash(path) != about.sha256:
            raise DataError(f"{shown(path)}: damaged, or not the index that {ABOUT} describes")
        with refusals(shown(path)):
            # No vector of an index is longer than its file; compressed ones do not exist.
            faiss.set_deserialization_vector_byte_limit(path.stat().st_size)
            index = faiss.read_index(str(path))
        if (index.ntotal, index.d) != (about.rows, about.dims):
            raise DataError(f"{shown(path)}: holds {index.ntotal} rows of {index.d} numbers")
        set_probes(index, about.probes)
        return cls(about, bank, index)
