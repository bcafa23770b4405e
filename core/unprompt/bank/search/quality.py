"""What an approximate index finds of what there is, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from unprompt.bank.search.exact import search_exact
from unprompt.bank.search.neighbours import Neighbours
from unprompt.bank.search.tiles import StoredRows
from unprompt.types import FloatArray

QUERIES = 1_000
NOISE = 0.5
"""Length of the noise that makes a row a query: their cosine is 0.89, as of a prompt reworded."""
TIMED = 50
"""Queries that are timed one by one."""


class Quality(BaseModel):
    """An approximate index, measured against exact search.

    Attributes:
        recall: The share of the K nearest rows that it finds; rows as near as the K-th count.
        count: K.
        queries: Queries that were measured.
        milliseconds: Median time of one query alone.
        exact_milliseconds: Time of exact search for one of all queries together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall: float = Field(ge=0, le=1)
    count: int = Field(ge=1)
    queries: int = Field(ge=1)
    milliseconds: float = Field(ge=0)
    exact_milliseconds: float = Field(ge=0)

    def __str__(self) -> str:
        """One line for a log."""
        return (
            f"recall@{self.count} {self.recall:.4f} on {self.queries} queries, "
            f"{self.milliseconds:.2f} ms a query (exact search of all at once: "
            f"{self.exact_milliseconds:.2f} ms a query)"
        )


def sample_queries(bank: StoredRows, count: int = QUERIES) -> FloatArray:
    """Rows from all over a bank with noise, made unit rows: the same for the same bank.

    Args:
        bank: The rows.
        count: How many, at most as many as rows.
    """
    import torch

    count = min(count, len(bank))
    numbers = np.linspace(0, len(bank) - 1, count).astype(np.int64)
    rows = bank.gathered(numbers, torch.device("cpu")).numpy()
    noise = np.random.default_rng(0).normal(size=rows.shape)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    noisy = rows + noise * lengths * NOISE / np.sqrt(bank.dims)
    norms = np.linalg.norm(noisy, axis=1, keepdims=True)
    unit: FloatArray = (noisy / np.where(norms > 0, norms, 1)).astype(np.float32)
    return unit


def exact_of(queries: FloatArray, bank: StoredRows, count: int) -> tuple[Neighbours, float]:
    """The true neighbours, and the seconds that finding them took."""
    start = time.perf_counter()
    truth = search_exact(queries, bank, count)
    return truth, time.perf_counter() - start


def quality_of(
    search: Callable[[FloatArray, int], Neighbours],
    queries: FloatArray,
    truth: Neighbours,
    exact_seconds: float,
) -> Quality:
    """Measure a search against the true neighbours."""
    count = truth.rows.shape[1]
    got = search(queries, count)
    spent = []
    for number in range(min(TIMED, len(queries))):
        start = time.perf_counter()
        search(queries[number : number + 1], count)
        spent.append(time.perf_counter() - start)
    return Quality(
        recall=recall(got, truth),
        count=count,
        queries=len(queries),
        milliseconds=1000 * median(spent),
        exact_milliseconds=1000 * exact_seconds / len(queries),
    )


def recall(got: Neighbours, truth: Neighbours) -> float:
    """The share of rows that are at least as near as the true K-th."""
    return float((got.cosines >= truth.cosines[:, -1:]).mean())
