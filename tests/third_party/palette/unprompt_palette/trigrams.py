"""A text is the sum of the directions of its runs of three letters."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unprompt import Runtime, TextEncoder, unit

from .plugin_trigrams import TrigramOptions


class Trigrams(TextEncoder):
    """Each run of three letters has a fixed random direction."""

    def __init__(self, options: TrigramOptions, runtime: Runtime) -> None:
        self.options = options
        self._known: dict[str, NDArray[np.float64]] = {}

    @property
    def identity(self) -> str:
        return f"unprompt-palette/trigrams-1/{self.dim}"

    @property
    def dim(self) -> int:
        return self.options.dim

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dim))
        for row, text in zip(rows, texts, strict=True):
            padded = f"  {text.lower()} "
            for start in range(len(padded) - 2):
                row += self._direction(padded[start : start + 3])
        return unit(rows)

    def _direction(self, letters: str) -> NDArray[np.float64]:
        if letters not in self._known:
            seed = int.from_bytes(hashlib.sha256(letters.encode()).digest()[:8], "big")
            self._known[letters] = np.random.default_rng(seed).normal(size=self.dim)
        return self._known[letters]
