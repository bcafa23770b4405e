"""The contract that every family keeps, as YAML builds it, with small towers.

Trained ones where a family has them, otherwise random ones of the shapes that ship.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unprompt_painter
from unprompt._registry.check import check_plugins
from unprompt._registry.plugins import Registry
from unprompt.contracts import Batch, Runtime
from unprompt.contracts.specs import PredictorSpec
from unprompt.testing import (
    TOLERANCE,
    HashedWords,
    PredictorContract,
    Prepared,
    example_images,
    example_train_set,
    make_prepared,
)

RandomTower = Callable[[str], Path]
Factory = pytest.TempPathFactory

CHECKPOINTS = Path(unprompt_painter.__file__).parent / "checkpoints"
FAMILIES = ("knn-vit-g", "knn-vit-h", "clip-l14", "clip-l16-384", "clip-blip")


def prepared_family(name: str, factory: Factory, backbone: Path, **options: Any) -> Prepared:
    """A family as the registry builds it, after learning from the example train split."""
    registry = Registry()
    spec = registry.spec(name, PredictorSpec)
    given = spec.options.model_validate({"backbone": {"folder": str(backbone)}, **options})

    def family(options: Any, runtime: Runtime) -> Any:
        return registry.build(spec, options, runtime)

    return make_prepared(family, given, factory.mktemp(name))


def example_batch(prepared: Prepared) -> Batch:
    predictor = prepared.load(Runtime())
    (batch,) = predictor.predict(example_images())
    predictor.close()
    assert batch.embeddings.ids == example_images().ids
    return batch


def assert_images_matter(batch: Batch) -> None:
    """A predictor that gives every image the same row keeps every other promise."""
    rows = dict(zip(batch.embeddings.ids, batch.embeddings.rows, strict=True))
    assert np.abs(rows["square"] - rows["grey"]).max() > 10 * TOLERANCE


def assert_evidence_is_shares(batch: Batch) -> None:
    for pieces in batch.evidence:
        assert len(pieces) == 5
        assert {piece.kind for piece in pieces} == {"neighbour"}
        assert 0 < sum(piece.score for piece in pieces) <= 1
        assert all(" wall number " in piece.text for piece in pieces)


def assert_evidence_is_nearest(batch: Batch) -> None:
    encoder = HashedWords()
    for i, pieces in enumerate(batch.evidence):
        assert batch.prompts[i] == pieces[0].text
        assert {piece.kind for piece in pieces} == {"nearest"}
        wanted = encoder.encode([piece.text for piece in pieces]) @ batch.embeddings.rows[i]
        np.testing.assert_allclose([piece.score for piece in pieces], wanted, atol=1e-5)


class TestKnnVitG(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, tmp_path_factory: Factory, random_tower: RandomTower) -> Prepared:
        return prepared_family("knn-vit-g", tmp_path_factory, random_tower("clip-b"))

    def test_evidence_is_the_shares_of_bank_prompts(self, prepared: Prepared) -> None:
        batch = example_batch(prepared)
        assert_evidence_is_shares(batch)
        assert_images_matter(batch)


class TestKnnVitH(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, tmp_path_factory: Factory) -> Prepared:
        return prepared_family("knn-vit-h", tmp_path_factory, CHECKPOINTS / "clip-a")

    def test_evidence_is_the_shares_of_bank_prompts(self, prepared: Prepared) -> None:
        batch = example_batch(prepared)
        assert_evidence_is_shares(batch)
        assert_images_matter(batch)


class TestClipL14(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, tmp_path_factory: Factory) -> Prepared:
        return prepared_family("clip-l14", tmp_path_factory, CHECKPOINTS / "vision-a")

    def test_evidence_is_the_nearest_train_prompts(self, prepared: Prepared) -> None:
        batch = example_batch(prepared)
        assert_evidence_is_nearest(batch)
        assert_images_matter(batch)


class TestClipL16At384(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, tmp_path_factory: Factory, random_tower: RandomTower) -> Prepared:
        views = ["identity", "hflip"]
        tower = random_tower("vision-b")
        return prepared_family("clip-l16-384", tmp_path_factory, tower, views=views)

    def test_evidence_is_the_nearest_train_prompts(self, prepared: Prepared) -> None:
        batch = example_batch(prepared)
        assert_evidence_is_nearest(batch)
        assert_images_matter(batch)


class TestClipBlip(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, tmp_path_factory: Factory, random_tower: RandomTower) -> Prepared:
        captioner = {"folder": str(random_tower("blip-a")), "max_tokens": 6}
        tower = CHECKPOINTS / "clip-a"
        return prepared_family("clip-blip", tmp_path_factory, tower, captioner=captioner)

    def test_the_embedding_is_the_texts_and_evidence_is_phrases(self, prepared: Prepared) -> None:
        batch = example_batch(prepared)
        texts = [text or "" for text in batch.prompts]
        np.testing.assert_allclose(batch.embeddings.rows, HashedWords().encode(texts), atol=1e-6)
        assert {piece.kind for pieces in batch.evidence for piece in pieces} == {"phrase"}
        assert_images_matter(batch)


def test_every_predictor_of_this_project_is_tested_here() -> None:
    registry = Registry()
    ours = [claim for claim in registry.claims if claim.distribution == "unprompt"]
    offered = {
        status.claim.name
        for status in check_plugins(registry, 120)
        if status.claim in ours and "predictor" in status.offers
    }
    # text-map: test_text_map.py. embedded-metadata reads files, which the example images are not:
    # tests/metadata/test_embedded_family.py.
    assert offered == {*FAMILIES, "text-map", "embedded-metadata"}


def test_the_examples_hold_the_images_that_break_predictors() -> None:
    source = example_images()
    sizes = {name: source.open(name).size for name in source.ids}
    assert sizes["one-pixel"] == (1, 1)
    assert sizes["narrow"] == (4000, 10)
    modes = {name: image.mode for name, image in source.source.images.items()}  # type: ignore[attr-defined]
    assert (modes["grey"], modes["transparent"]) == ("L", "RGBA")
    assert len(example_train_set()) > 5
