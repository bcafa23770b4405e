"""What the packaged families' towers make of images goes with the predictions, as features."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unprompt_painter
from unprompt import Batch, Predictor, unit
from unprompt._data.formats import parquet
from unprompt._members.batches import collect
from unprompt.contracts import Runtime
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError, PluginError
from unprompt.testing import example_images, make_prepared
from unprompt.towers import ClipTowers, FolderSource, VisionTower
from unprompt.types import FloatArray
from unprompt_blip.interrogator import Interrogator
from unprompt_blip.options import InterrogatorOptions
from unprompt_clip.l14 import L14Options
from unprompt_clip.regressor import ClipRegressor
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions

from .small_towers import save_clip

VIEWS = ["identity", "hflip"]
VISION = Path(unprompt_painter.__file__).parent / "checkpoints" / "vision-a"


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("features") / "clip")


@pytest.fixture(params=["knn", "interrogator", "regressor"])
def predictor(
    request: pytest.FixtureRequest, backbone: Path, tmp_path: Path
) -> Iterator[Predictor]:
    options: dict[str, Any] = {"backbone": {"folder": str(backbone)}, "views": VIEWS}
    family, given = {
        "knn": (Knn, KnnOptions.model_validate(options)),
        "interrogator": (
            Interrogator,
            InterrogatorOptions.model_validate({**options, "mode": "negative"}),
        ),
        "regressor": (
            ClipRegressor,
            L14Options.model_validate({"backbone": {"folder": str(VISION)}, "views": VIEWS}),
        ),
    }[request.param]
    ready = make_prepared(family, given, tmp_path).load(Runtime(batch_size=3))
    yield ready
    ready.close()


def by_hand(backbone: Path, predictor: Predictor) -> dict[str, FloatArray]:
    """Both views of each image through the tower, averaged."""
    tower = tower_of(backbone, predictor)
    preprocess, images, rows = tower.preprocess, example_images(), {}
    for name in images.ids:
        pixels = preprocess(images.open(name))[None]
        views = [
            tower.features(part) if isinstance(tower, VisionTower) else tower.images(part)
            for part in (pixels, pixels.flip(-1))
        ]
        rows[name] = unit(np.add(*map(unit, views)))[0]
    return rows


def tower_of(backbone: Path, predictor: Predictor) -> VisionTower | ClipTowers:
    """The tower that the predictor has, made anew."""
    if isinstance(predictor, ClipRegressor):
        source = FolderSource.model_validate({"folder": str(VISION)})
        return VisionTower(source, Runtime(), "test")
    return ClipTowers(FolderSource.model_validate({"folder": str(backbone)}), Runtime(), "test")


def test_features_are_the_towers_averaged_over_views(predictor: Predictor, backbone: Path) -> None:
    expected = by_hand(backbone, predictor)
    given: dict[str, FloatArray] = {}
    for batch in predictor.predict(example_images()):
        assert batch.features is not None
        given |= dict(zip(batch.features.ids, batch.features.rows, strict=True))
    assert sorted(given) == sorted(expected)
    for name, row in given.items():
        np.testing.assert_allclose(row, expected[name], atol=1e-5, err_msg=name)


def batch(name: str, width: int | None) -> Batch:
    """One image; its features are as many as ``width``."""
    features = None if width is None else Embeddings((name,), np.eye(1, width, dtype=np.float32))
    return Batch(Embeddings((name,), np.eye(1, 4, dtype=np.float32)), (None,), ((),), features)


def test_batches_are_joined_with_their_features(tmp_path: Path) -> None:
    joined = collect([batch("b", 3), batch("a", 3)], ("a", "b"), 4)
    assert joined.features is not None
    assert joined.features.ids == ("a", "b")
    parquet.write(tmp_path / "p.parquet", joined)
    again = parquet.read_batch(tmp_path / "p.parquet")
    assert again.features is not None
    np.testing.assert_array_equal(again.features.rows, joined.features.rows)
    none = collect([batch("a", None)], ("a",), 4)
    assert none.features is None
    parquet.write(tmp_path / "n.parquet", none)
    assert parquet.read_batch(tmp_path / "n.parquet").features is None


@pytest.mark.parametrize(
    ("widths", "line"),
    [
        ((3, None), "gave features in 1 of 2 batches"),
        ((3, 5), "gave features of 3 and of 5 numbers"),
    ],
)
def test_features_of_some_batches_or_widths_are_a_mistake(
    widths: tuple[int, int | None], line: str
) -> None:
    with pytest.raises(PluginError, match=line):
        collect([batch("a", widths[0]), batch("b", widths[1])], ("a", "b"), 4)


def test_features_of_other_images_are_refused() -> None:
    other = batch("b", 3).features
    with pytest.raises(DataError, match="features of the images that it has embeddings of"):
        Batch(batch("a", None).embeddings, (None,), ((),), other)
