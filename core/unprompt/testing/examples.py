"""A text encoder, images and a train split for the tests of plugins."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from unprompt._data.memory import MemoryImages
from unprompt.contracts import Images, Record, TextEncoder, TrainSet
from unprompt.embeddings import Embeddings, unit
from unprompt.types import DoubleArray, FloatArray


class HashedWords(TextEncoder):
    """A small text encoder: each word has a fixed random direction, a text has their sum."""

    @property
    def identity(self) -> str:
        """The name of the space."""
        return f"hashed-words-{self.dim}"

    @property
    def dim(self) -> int:
        """32."""
        return 32

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows of shape (len(texts), 32)."""
        rows = [
            sum((self._word(word) for word in text.split()), start=np.zeros(32)) for text in texts
        ]
        return unit(np.stack(rows)) if rows else np.empty((0, 32), np.float32)

    def _word(self, word: str) -> DoubleArray:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        return np.random.default_rng(seed).normal(size=self.dim)


def example_images() -> Images:
    """Images that have broken predictors before: tiny, narrow, grey, transparent, large."""
    rng = np.random.default_rng(0)

    def noise(width: int, height: int) -> Image.Image:
        return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))

    images = {
        "one-pixel": noise(1, 1),
        "narrow": noise(4000, 10),
        "tall": noise(10, 1000),
        "grey": Image.new("L", (40, 30), 90),
        "transparent": Image.new("RGBA", (30, 40), (200, 30, 30, 128)),
        "black": Image.new("RGB", (64, 64)),
        "large": noise(700, 500),
        "square": noise(128, 128),
    }
    return Images(tuple(images), MemoryImages(images))


def example_train_set(encoder: TextEncoder | None = None, count: int = 24) -> TrainSet:
    """A train split of ``count`` plain colours, whose prompts name the colour."""
    encoder = encoder or HashedWords()
    names = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 200)}
    records, images = [], {}
    for i in range(count):
        name, colour = list(names.items())[i % len(names)]
        records.append(Record(f"train-{i}", f"prompt-{i}", f"a {name} wall number {i}"))
        images[f"train-{i}"] = Image.new("RGB", (48, 48), tuple(c + i % 20 for c in colour))
    targets = Embeddings(tuple(images), encoder.encode([record.prompt for record in records]))
    return TrainSet(tuple(records), Images(tuple(images), MemoryImages(images)), targets, encoder)
