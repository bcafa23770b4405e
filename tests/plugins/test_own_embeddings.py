"""The query itself: what a family's CLIP makes of images, computed once in a member's life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt import Predictor, unit
from unprompt._members.batches import collect_embeddings
from unprompt.contracts import Runtime, TextEncoder
from unprompt.embeddings import Embeddings
from unprompt.errors import PluginError
from unprompt.testing import HashedWords, example_images, example_train_set, make_prepared
from unprompt.towers import ClipTowers, FolderSource
from unprompt.types import FloatArray
from unprompt_blip.interrogator import Interrogator
from unprompt_blip.options import InterrogatorOptions
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions

from .small_towers import save_clip

Load = Callable[[TextEncoder], Predictor]


class Narrow(TextEncoder):
    """A target space of 24 numbers, as many as the CLIP of `save_clip` has."""

    identity, dim = "narrow", 24

    def encode(self, texts: Sequence[str]) -> FloatArray:
        return unit(HashedWords().encode(texts)[:, : self.dim])


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("own") / "clip")


@pytest.fixture(params=["knn", "interrogator"])
def load(request: pytest.FixtureRequest, backbone: Path, tmp_path: Path) -> Load:
    """A family with a CLIP of 24 numbers, loaded for a target space."""
    options: dict[str, Any] = {
        "backbone": {"folder": str(backbone)},
        "views": ["identity", "hflip"],
    }

    def loaded(encoder: TextEncoder) -> Predictor:
        train = example_train_set(encoder)
        if request.param == "knn":
            given = KnnOptions.model_validate(options)
            return make_prepared(Knn, given, tmp_path, train).load(Runtime(batch_size=3))
        wordless = InterrogatorOptions.model_validate({**options, "mode": "negative"})
        return make_prepared(Interrogator, wordless, tmp_path, train).load(Runtime(batch_size=3))

    return loaded


def test_a_clip_as_wide_as_the_target_space_gives_its_embeddings(
    load: Load, backbone: Path
) -> None:
    images, predictor = example_images(), load(Narrow())
    rows = collect_embeddings(predictor.own_embeddings(images), images.ids)
    predictor.close()
    source = FolderSource.model_validate({"folder": str(backbone)})
    clip = ClipTowers(source, Runtime(), "test")
    for name, row in zip(images.ids, rows if rows is not None else [], strict=True):
        pixels = clip.preprocess(images.open(name))[None]
        both = clip.images(pixels)[0] + clip.images(pixels.flip(-1))[0]
        np.testing.assert_allclose(row, unit(both[None])[0], atol=1e-5, err_msg=name)


def test_a_clip_of_another_width_gives_none(load: Load) -> None:
    predictor = load(HashedWords())
    assert list(predictor.own_embeddings(example_images())) == []
    predictor.close()


def test_the_tower_sees_each_image_once(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    encode = ClipTowers.images

    def counted(self: ClipTowers, pixels: Any, *rest: Any) -> FloatArray:
        seen.append(len(pixels))
        return encode(self, pixels, *rest)

    monkeypatch.setattr(ClipTowers, "images", counted)
    images, predictor = example_images(), load(Narrow())
    list(predictor.own_embeddings(images))
    predicted = [name for batch in predictor.predict(images) for name in batch.embeddings.ids]
    assert tuple(predicted) == images.ids
    assert sum(seen) == len(images)
    list(predictor.predict(images.select(images.ids[:1])))
    list(predictor.predict(example_images()))  # the same content
    assert sum(seen) == len(images)
    predictor.close()


def test_every_image_has_to_be_there_once() -> None:
    row = unit(np.ones((1, 4)))
    assert collect_embeddings([], ["a"]) is None
    with pytest.raises(PluginError, match=r"did not predict each image once: missing 'b'"):
        collect_embeddings([Embeddings(("a",), row)], ["a", "b"])
