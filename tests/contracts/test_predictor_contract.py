"""Each check of the contract of predictors fails on a predictor that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unprompt import Batch, Embeddings, Evidence, Images, Predictor, TrainSet, unit
from unprompt.testing import PredictorContract, example_images, make_prepared
from unprompt.types import FloatArray


class Brightness(Predictor):
    """The mean train target, turned by the image's colour; keeps the contract."""

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        np.save(artifact / "mean.npy", train.targets.rows.mean(axis=0))

    def load(self, artifact: Path) -> None:
        self.mean = np.load(artifact / "mean.npy")

    def predict(self, images: Images) -> Iterator[Batch]:
        for start in range(0, len(images), self.runtime.batch_size):
            ids = images.ids[start : start + self.runtime.batch_size]
            yield self.batch(images, ids)

    def batch(self, images: Images, ids: tuple[str, ...]) -> Batch:
        rows = unit(np.stack([self.row(self.image(images, name)) for name in ids]))
        evidence = (Evidence("a wall", 0.6, "phrase"), Evidence("a field", 0.4, "phrase"))
        return Batch(Embeddings(ids, rows), ("a wall",) * len(ids), (evidence,) * len(ids))

    def image(self, images: Images, image_id: str) -> Image.Image:
        return images.open(image_id)

    def row(self, image: Image.Image) -> FloatArray:
        row: FloatArray = self.mean.copy()
        row[:3] += np.asarray(image, np.float32).reshape(-1, 3).mean(axis=0) / 255
        return row


def with_rows(batch: Batch, rows: FloatArray) -> Batch:
    """The batch with other rows."""
    return Batch(Embeddings(batch.embeddings.ids, rows), batch.prompts, batch.evidence)


class DropsAnImage(Brightness):
    def predict(self, images: Images) -> Iterator[Batch]:
        return super().predict(images.select(images.ids[:-1]))


class ZeroRows(Brightness):
    def batch(self, images: Images, ids: tuple[str, ...]) -> Batch:
        batch = super().batch(images, ids)
        return with_rows(batch, np.zeros_like(batch.embeddings.rows))


class Abstains(Brightness):
    """From every second image, as the contract says it."""

    def predict(self, images: Images) -> Iterator[Batch]:
        known = images.select([name for name in images.ids if len(name) % 2])
        yield from super().predict(known)
        if others := [name for name in images.ids if name not in known.ids]:
            yield Batch.abstaining(others, len(self.mean))


class AbstainsFromAll(Brightness):
    def predict(self, images: Images) -> Iterator[Batch]:
        if images.ids:
            yield Batch.abstaining(images.ids, len(self.mean))


class AbstainsWithAPrompt(Abstains):
    def predict(self, images: Images) -> Iterator[Batch]:
        for batch in super().predict(images):
            yield replace(batch, prompts=("a wall",) * len(batch.prompts))


class CentredBatches(Brightness):
    def batch(self, images: Images, ids: tuple[str, ...]) -> Batch:
        batch = super().batch(images, ids)
        rows = batch.embeddings.rows
        return with_rows(batch, unit(rows - 0.1 * rows.mean(axis=0)))


class RowsOfThePosition(Brightness):
    def predict(self, images: Images) -> Iterator[Batch]:
        for batch in super().predict(images):
            position = [[images.ids.index(name)] for name in batch.embeddings.ids]
            yield with_rows(batch, unit(batch.embeddings.rows + 0.01 * np.array(position)))


class RandomRows(Brightness):
    def row(self, image: Image.Image) -> FloatArray:
        row = super().row(image)
        return row + np.random.default_rng().normal(size=row.shape).astype(np.float32) * 1e-4


class AnotherRowForOneImage(Brightness):
    def predict(self, images: Images) -> Iterator[Batch]:
        for batch in super().predict(images):
            rows = batch.embeddings.rows
            yield with_rows(batch, -rows) if len(images) == 1 else batch


class EmptyBatch(Brightness):
    def predict(self, images: Images) -> Iterator[Batch]:
        yield from super().predict(images)
        if not len(images):
            yield Batch(Embeddings((), np.empty((0, len(self.mean)), np.float32)), (), ())


class HalfOfItsOwnEmbeddings(Brightness):
    def own_embeddings(self, images: Images) -> Iterator[Embeddings]:
        for batch in self.predict(images.select(images.ids[::2])):
            yield batch.embeddings


class FeaturesOfTheBatch(Brightness):
    """Centred over whatever else is in the batch."""

    def predict(self, images: Images) -> Iterator[Batch]:
        for batch in super().predict(images):
            rows = batch.embeddings.rows
            features = Embeddings(batch.embeddings.ids, unit(rows - rows.mean(axis=0) + 0.01))
            yield replace(batch, features=features)


class OpensFilesItself(Brightness):
    def image(self, images: Images, image_id: str) -> Image.Image:
        path = getattr(images.source, "paths", {}).get(image_id)
        return Image.open(path).convert("RGB") if path else images.open(image_id)


def with_evidence(*evidence: Evidence) -> type[Brightness]:
    """A predictor that gives this evidence for each image."""

    class OtherEvidence(Brightness):
        def batch(self, images: Images, ids: tuple[str, ...]) -> Batch:
            batch = super().batch(images, ids)
            return Batch(batch.embeddings, batch.prompts, (evidence,) * len(ids))

    return OtherEvidence


BROKEN: list[tuple[str, type[Brightness]]] = [
    ("test_every_image_gets_one_unit_row", DropsAnImage),
    ("test_every_image_gets_one_unit_row", ZeroRows),
    ("test_every_image_gets_one_unit_row", AbstainsFromAll),
    ("test_an_abstention_has_no_prompt_and_no_evidence", AbstainsWithAPrompt),
    ("test_an_abstention_has_no_prompt_and_no_evidence", ZeroRows),
    ("test_batch_size_does_not_matter", CentredBatches),
    ("test_order_does_not_matter", RowsOfThePosition),
    ("test_the_same_call_gives_the_same_rows", RandomRows),
    ("test_one_image", AnotherRowForOneImage),
    ("test_no_image_gives_no_row", EmptyBatch),
    ("test_files_of_every_mode", OpensFilesItself),
    (
        "test_own_embeddings_are_as_wide_as_the_space_and_change_no_prediction",
        HalfOfItsOwnEmbeddings,
    ),
    ("test_features_are_unit_rows_of_one_width", FeaturesOfTheBatch),
    (
        "test_evidence_is_text_with_finite_scores",
        with_evidence(Evidence("a", 0.1, "phrase"), Evidence("b", 0.9, "phrase")),
    ),
    ("test_evidence_is_text_with_finite_scores", with_evidence(Evidence(" ", 1.0, "phrase"))),
    (
        "test_evidence_is_text_with_finite_scores",
        with_evidence(Evidence("a", float("nan"), "phrase")),
    ),
]


def test_a_right_predictor_passes_every_check(
    failing_checks: Callable[..., set[str]], tmp_path: Path
) -> None:
    prepared = make_prepared(Brightness, None, tmp_path)
    assert failing_checks(PredictorContract, prepared=prepared, images=example_images()) == set()


def test_a_predictor_may_abstain(failing_checks: Callable[..., set[str]], tmp_path: Path) -> None:
    images = example_images()
    assert {len(name) % 2 for name in images.ids} == {0, 1}
    prepared = make_prepared(Abstains, None, tmp_path)
    assert failing_checks(PredictorContract, prepared=prepared, images=images) == set()


@pytest.mark.parametrize(("check", "predictor"), BROKEN)
def test_a_broken_predictor_fails_the_check_for_it(
    failing_checks: Callable[..., set[str]],
    tmp_path: Path,
    check: str,
    predictor: type[Brightness],
) -> None:
    prepared = make_prepared(predictor, None, tmp_path)
    assert check in failing_checks(PredictorContract, prepared=prepared, images=example_images())


def test_every_check_has_a_broken_predictor(checks: Callable[[type], set[str]]) -> None:
    assert {check for check, _ in BROKEN} == checks(PredictorContract)
