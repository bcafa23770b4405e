"""The predictor contract as tests: subclass `PredictorContract` in your plugin's test suite.

::

    class TestEcho(PredictorContract):
        @pytest.fixture(scope="class")
        @classmethod
        def prepared(cls, tmp_path_factory):
            return make_prepared(EchoPredictor, EchoOptions(), tmp_path_factory.mktemp("echo"))

Needs pytest; nothing else of unprompt imports this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unprompt._data.images import folder_images
from unprompt._data.memory import MemoryImages
from unprompt.contracts import (
    Batch,
    Images,
    Predictor,
    Record,
    Runtime,
    TextEncoder,
    TrainSet,
)
from unprompt.embeddings import Embeddings, unit
from unprompt.types import FloatArray

TOLERANCE = 1e-5
"""How far rows may differ with the order of images or the batch size, in float32."""

MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
"""Pillow's modes of files that a predictor should not have to care about."""


class HashedWords(TextEncoder):
    """A small, real text encoder: each word is a fixed random direction, a text their sum."""

    @property
    def identity(self) -> str:
        """Names the space."""
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

    def _word(self, word: str) -> Any:
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
    """A train split of flat colours and what they are called."""
    encoder = encoder or HashedWords()
    names = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 200)}
    records, images = [], {}
    for i in range(count):
        name, colour = list(names.items())[i % len(names)]
        records.append(Record(f"train-{i}", f"prompt-{i}", f"a {name} wall number {i}"))
        images[f"train-{i}"] = Image.new("RGB", (48, 48), tuple(c + i % 20 for c in colour))
    targets = Embeddings(tuple(images), encoder.encode([record.prompt for record in records]))
    return TrainSet(tuple(records), Images(tuple(images), MemoryImages(images)), targets, encoder)


@dataclass(frozen=True)
class Prepared:
    """A predictor that has learned, and how to load it again under another runtime.

    Attributes:
        load: Gives a fresh, loaded predictor.
        dim: D of the space that it predicts in.
    """

    load: Callable[[Runtime], Predictor]
    dim: int


def make_prepared(
    family: Callable[[Any, Runtime], Predictor],
    options: Any,
    artifact: Path,
    train: TrainSet | None = None,
) -> Prepared:
    """Let a family learn from `example_train_set` into ``artifact``.

    Args:
        family: The spec's target.
        options: An instance of the spec's options model.
        artifact: An empty folder.
        train: What to learn from instead.
    """
    train = train or example_train_set()
    encoder = train.text_encoder
    learner = family(options, Runtime(text_encoder=encoder))
    learner.prepare(train, artifact)
    learner.close()

    def load(runtime: Runtime) -> Predictor:
        predictor = family(options, replace(runtime, text_encoder=encoder))
        predictor.load(artifact)
        return predictor

    return Prepared(load, encoder.dim)


def rows_of(predictor: Predictor, images: Images) -> dict[str, FloatArray]:
    """Predict and close: each image's row."""
    try:
        batches = list(predictor.predict(images))
    finally:
        predictor.close()
    names = [name for batch in batches for name in batch.embeddings.ids]
    assert sorted(names) == sorted(images.ids), "every image is predicted exactly once"
    return {
        name: row
        for batch in batches
        for name, row in zip(batch.embeddings.ids, batch.embeddings.rows, strict=True)
    }


class PredictorContract:
    """What every predictor keeps; subclass it and give the fixture ``prepared``."""

    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls) -> Prepared:
        """The predictor under test; see `make_prepared`."""
        pytest.skip("subclass PredictorContract and give the fixture `prepared`")

    @pytest.fixture(scope="class")
    @classmethod
    def images(cls) -> Images:
        """The images to predict; override for families that need others."""
        return example_images()

    def test_every_image_gets_one_unit_row(self, prepared: Prepared, images: Images) -> None:
        rows = rows_of(prepared.load(Runtime()), images)
        for name, row in rows.items():
            assert row.shape == (prepared.dim,), name
            assert row.dtype == np.float32, name
            assert abs(float(np.linalg.norm(row)) - 1) < 1e-4, name

    def test_batch_size_does_not_matter(self, prepared: Prepared, images: Images) -> None:
        some = rows_of(prepared.load(Runtime(batch_size=3)), images)
        one = rows_of(prepared.load(Runtime(batch_size=1)), images)
        for name in images.ids:
            np.testing.assert_allclose(some[name], one[name], atol=TOLERANCE, err_msg=name)

    def test_order_does_not_matter(self, prepared: Prepared, images: Images) -> None:
        forward = rows_of(prepared.load(Runtime()), images)
        shuffled = [images.ids[i] for i in np.random.default_rng(1).permutation(len(images))]
        for order, size in ((images.ids[::-1], 64), (shuffled, 3)):
            other = rows_of(prepared.load(Runtime(batch_size=size)), images.select(order))
            for name in images.ids:
                np.testing.assert_allclose(forward[name], other[name], atol=TOLERANCE, err_msg=name)

    def test_the_same_call_gives_the_same_rows(self, prepared: Prepared, images: Images) -> None:
        first = rows_of(prepared.load(Runtime()), images)
        second = rows_of(prepared.load(Runtime()), images)
        for name in images.ids:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)

    def test_one_image(self, prepared: Prepared, images: Images) -> None:
        everything = rows_of(prepared.load(Runtime()), images)
        alone = rows_of(prepared.load(Runtime()), images.select(images.ids[:1]))
        name = images.ids[0]
        np.testing.assert_allclose(alone[name], everything[name], atol=TOLERANCE)

    def test_no_image_gives_no_row(self, prepared: Prepared, images: Images) -> None:
        predictor = prepared.load(Runtime())
        assert list(predictor.predict(images.select(()))) == []
        predictor.close()

    def test_files_of_every_mode(self, prepared: Prepared, images: Images, tmp_path: Path) -> None:
        for mode in MODES:
            converted = images.open(images.ids[-1]).convert(mode)
            if mode.endswith("A"):
                converted.putalpha(100)
            converted.save(tmp_path / f"{mode}.png")
        files = folder_images([tmp_path])
        seen = Images(files.ids, MemoryImages({name: files.open(name) for name in files.ids}))
        rows = rows_of(prepared.load(Runtime()), files)
        for name, row in rows_of(prepared.load(Runtime()), seen).items():
            np.testing.assert_allclose(rows[name], row, atol=TOLERANCE, err_msg=name)

    def test_evidence_is_text_with_finite_scores(self, prepared: Prepared, images: Images) -> None:
        predictor = prepared.load(Runtime())
        batches: list[Batch] = list(predictor.predict(images))
        predictor.close()
        for batch in batches:
            for prompt, evidence in zip(batch.prompts, batch.evidence, strict=True):
                assert prompt is None or prompt.strip()
                assert all(piece.text.strip() and piece.kind for piece in evidence)
                scores = [piece.score for piece in evidence]
                assert np.isfinite(scores).all()
                assert scores == sorted(scores, reverse=True), "best first"
