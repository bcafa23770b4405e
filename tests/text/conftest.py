"""A small space in which every text has something in common, and one word has nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest

from unprompt import TextEncoder, unit
from unprompt.types import DoubleArray, FloatArray

STICKY = "lucrarea"


class Space(TextEncoder):
    """A text is the sum of its words; each has a direction of its own and the common one.

    ``lucrarea`` has only the common one, so that it raises every text's cosine with every other.
    """

    def __init__(self) -> None:
        self.lists: list[list[str]] = []

    @property
    def identity(self) -> str:
        return "space"

    @property
    def dim(self) -> int:
        return 64

    def encode(self, texts: Sequence[str]) -> FloatArray:
        self.lists.append(list(texts))
        rows = [sum((self._word(word) for word in _words(text)), np.zeros(64)) for text in texts]
        return unit(np.stack(rows)) if rows else np.empty((0, 64), np.float32)

    def _word(self, word: str) -> DoubleArray:
        common = np.full(self.dim, 0.4)
        if word == STICKY:
            return 4 * common
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        return np.random.default_rng(seed).normal(size=self.dim) + common


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


@pytest.fixture
def space() -> Space:
    return Space()
