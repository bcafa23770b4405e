"""Batches of texts that are about as long, and in a batch groups of texts of one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Tokens = Sequence[int]
Group = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Texts of one length: their numbers (n,) and their token ids (n, L)."""


def token_batches(texts: Sequence[Tokens], budget: int) -> Iterator[list[Group]]:
    """Every text once, the short ones first.

    A batch holds whole texts of ``budget`` tokens together, or a little more. Nothing is padded:
    texts of one length are the rows of an array, and a batch has as many arrays as lengths.

    Args:
        texts: N texts as token ids, of at least one token each.
        budget: Tokens per batch, at least 1.
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    batch: list[int] = []
    tokens = 0
    for number in order:
        batch.append(number)
        tokens += len(texts[number])
        if tokens >= budget:
            yield _groups(texts, batch)
            batch, tokens = [], 0
    if batch:
        yield _groups(texts, batch)


def _groups(texts: Sequence[Tokens], batch: Sequence[int]) -> list[Group]:
    by_length: dict[int, list[int]] = {}
    for number in batch:
        by_length.setdefault(len(texts[number]), []).append(number)
    return [
        (np.array(numbers, np.int64), np.array([texts[i] for i in numbers], np.int64))
        for numbers in by_length.values()
    ]
