"""The contract of predictors as tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt._data.images import folder_images
from unprompt._data.memory import MemoryImages
from unprompt.contracts import Images, Predictor, Runtime, TrainSet
from unprompt.testing.examples import example_images, example_train_set
from unprompt.testing.tolerance import TOLERANCE
from unprompt.types import FloatArray

MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
"""Pillow's modes of image files that a predictor should not depend on."""


@dataclass(frozen=True)
class Prepared:
    """A predictor that has been prepared.

    Attributes:
        load: Makes a new predictor with the given runtime and loads the artifact into it.
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
    """Prepare a predictor, by default on `example_train_set`.

    Args:
        family: The spec's target.
        options: An instance of the spec's options model.
        artifact: An empty folder for the artifact.
        train: Another train split.
    """
    train = example_train_set() if train is None else train
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
    """Predict and close.

    Returns:
        Each image's row, of shape (D,).
    """
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


def features_of(predictor: Predictor, images: Images) -> dict[str, FloatArray]:
    """Predict and close.

    Returns:
        Each image's features, of shape (C,); empty where the predictor gives none.
    """
    try:
        given = [batch.features for batch in predictor.predict(images) if batch.features]
    finally:
        predictor.close()
    return {name: row for part in given for name, row in zip(part.ids, part.rows, strict=True)}


class PredictorContract:
    """Checks for every predictor; subclass it and give the fixture ``prepared``."""

    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls) -> Prepared:
        """The predictor under test; see `make_prepared`."""
        pytest.skip("subclass PredictorContract and give the fixture `prepared`")

    @pytest.fixture(scope="class")
    @classmethod
    def images(cls) -> Images:
        """The images to predict; override it for families that need others."""
        return example_images()

    def test_every_image_gets_one_unit_row(self, prepared: Prepared, images: Images) -> None:
        """Or a zero row, where the family abstains; but not from every image."""
        rows = rows_of(prepared.load(Runtime()), images)
        for name, row in rows.items():
            assert row.shape == (prepared.dim,), name
            assert row.dtype == np.float32, name
            assert not row.any() or abs(float(np.linalg.norm(row)) - 1) < 1e-4, name
        assert any(row.any() for row in rows.values()), (
            "it abstains from every image: override the fixture `images` with some that it answers"
        )

    def test_an_abstention_has_no_prompt_and_no_evidence(
        self, prepared: Prepared, images: Images
    ) -> None:
        predictor = prepared.load(Runtime())
        batches = list(predictor.predict(images))
        predictor.close()
        for batch in batches:
            texts = zip(batch.prompts, batch.evidence, strict=True)
            for name, row, said in zip(
                batch.embeddings.ids, batch.embeddings.rows, texts, strict=True
            ):
                assert row.any() or said == (None, ()), f"a zero row abstains: {name}"

    def test_batch_size_does_not_matter(self, prepared: Prepared, images: Images) -> None:
        batches = rows_of(prepared.load(Runtime(batch_size=3)), images)
        singles = rows_of(prepared.load(Runtime(batch_size=1)), images)
        for name in images.ids:
            np.testing.assert_allclose(batches[name], singles[name], atol=TOLERANCE, err_msg=name)

    def test_order_does_not_matter(self, prepared: Prepared, images: Images) -> None:
        expected = rows_of(prepared.load(Runtime()), images)
        shuffled = [images.ids[i] for i in np.random.default_rng(1).permutation(len(images))]
        for order, size in ((images.ids[::-1], 64), (shuffled, 3)):
            rows = rows_of(prepared.load(Runtime(batch_size=size)), images.select(order))
            for name in images.ids:
                np.testing.assert_allclose(rows[name], expected[name], atol=TOLERANCE, err_msg=name)

    def test_the_same_call_gives_the_same_rows(self, prepared: Prepared, images: Images) -> None:
        first = rows_of(prepared.load(Runtime()), images)
        second = rows_of(prepared.load(Runtime()), images)
        for name in images.ids:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)

    def test_own_embeddings_are_as_wide_as_the_space_and_change_no_prediction(
        self, prepared: Prepared, images: Images
    ) -> None:
        expected = rows_of(prepared.load(Runtime()), images)
        predictor = prepared.load(Runtime(batch_size=3))
        batches = list(predictor.own_embeddings(images))
        names = [name for batch in batches for name in batch.ids]
        assert sorted(names) in ([], sorted(images.ids)), "every image once, or none"
        assert {batch.dim for batch in batches} <= {prepared.dim}
        for name, row in rows_of(predictor, images).items():
            np.testing.assert_allclose(row, expected[name], atol=TOLERANCE, err_msg=name)

    def test_features_are_unit_rows_of_one_width(self, prepared: Prepared, images: Images) -> None:
        all_at_once = features_of(prepared.load(Runtime()), images)
        singles = features_of(prepared.load(Runtime(batch_size=1)), images)
        assert sorted(all_at_once) in ([], sorted(images.ids)), "of every image, or of none"
        assert len({len(row) for row in all_at_once.values()}) <= 1, "of one width"
        for name, row in all_at_once.items():
            assert abs(float(np.linalg.norm(row)) - 1) < 1e-4, name
            np.testing.assert_allclose(singles[name], row, atol=TOLERANCE, err_msg=name)

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
        as_rgb = Images(files.ids, MemoryImages({name: files.open(name) for name in files.ids}))
        rows = rows_of(prepared.load(Runtime()), files)
        for name, row in rows_of(prepared.load(Runtime()), as_rgb).items():
            np.testing.assert_allclose(rows[name], row, atol=TOLERANCE, err_msg=name)

    def test_evidence_is_text_with_finite_scores(self, prepared: Prepared, images: Images) -> None:
        predictor = prepared.load(Runtime())
        batches = list(predictor.predict(images))
        predictor.close()
        for batch in batches:
            for prompt, evidence in zip(batch.prompts, batch.evidence, strict=True):
                assert prompt is None or prompt.strip()
                assert all(piece.text.strip() and piece.kind for piece in evidence)
                scores = [piece.score for piece in evidence]
                assert np.isfinite(scores).all()
                assert scores == sorted(scores, reverse=True), "best first"
