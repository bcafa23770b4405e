"""Test-time augmentation: an explicit list of views, without chance, each computed once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydantic import ValidationError

from unprompt._data.memory import MemoryImages
from unprompt.contracts import Images, Runtime
from unprompt.embeddings import unit
from unprompt.testing import example_images, make_prepared, rows_of
from unprompt.towers import IDENTITY, ClipTowers, FolderSource, averaged
from unprompt_clip.l14 import L14Options
from unprompt_clip.regressor import ClipRegressor
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions

Rows = npt.NDArray[np.float32]
ALL = ["identity", "hflip", {"scale": 1.1}, "five-crop"]
CLIP = FolderSource.model_validate({"folder": "package:unprompt_painter/checkpoints/clip-a"})
VISION = FolderSource.model_validate({"folder": "package:unprompt_painter/checkpoints/vision-a"})


def views(*given: Any) -> Any:
    """Views as YAML says them."""
    return KnnOptions.model_validate({"backbone": CLIP, "views": list(given)}).views


@dataclass
class Flat:
    """An encoder that keeps what it was shown; an image's row is its pixels as a direction."""

    seen: list[Any] = field(default_factory=list)

    def __call__(self, pixels: Any) -> Rows:
        self.seen.append(pixels)
        return unit(pixels.flatten(1).numpy())


def noise(side: int = 90, count: int = 3) -> Any:
    import torch

    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def enlarged(crop: Any, side: int) -> Any:
    from torch.nn.functional import interpolate

    return interpolate(crop, (side, side), mode="bicubic", align_corners=False)


def test_each_view_is_the_part_of_the_image_that_it_says() -> None:
    import torch

    pixels, encode = noise(90), Flat()
    averaged(encode, pixels, views(*ALL))
    wanted = [
        pixels,
        pixels.flip(-1),
        enlarged(pixels[..., 4:86, 4:86], 90),  # 90 / 1.1 = 82
        *(
            enlarged(pixels[..., top : top + 80, left : left + 80], 90)  # 8/9 of 90
            for top, left in ((0, 0), (0, 10), (10, 0), (10, 10), (5, 5))
        ),
    ]
    assert len(encode.seen) == len(wanted)
    for seen, part in zip(encode.seen, wanted, strict=True):
        assert torch.equal(seen, part)


def test_rows_are_the_normalised_mean_over_views() -> None:
    pixels, encode = noise(), Flat()
    rows = averaged(encode, pixels, views(*ALL))
    mean = np.mean([unit(seen.flatten(1).numpy()) for seen in encode.seen], axis=0)
    assert (np.linalg.norm(mean, axis=1) < 0.99).all()  # so that normalising again is seen
    np.testing.assert_allclose(rows, unit(mean), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "passes"),
    [(["identity"], 1), (["hflip"], 1), (["five-crop"], 5), ([{"scale": 1.1}], 1), (ALL, 8)],
)
def test_a_view_costs_one_pass_and_no_more(given: list[Any], passes: int) -> None:
    encode = Flat()
    averaged(encode, noise(), views(*given))
    assert len(encode.seen) == passes


def test_the_same_pixels_give_the_same_rows() -> None:
    first, second = (averaged(Flat(), noise(), views(*ALL)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_an_image_and_its_mirror_image_are_one_with_both_flips() -> None:
    towers = ClipTowers(CLIP, Runtime(), "own")
    pixels, both = noise(96), views("identity", "hflip")
    rows, mirrored = (towers.images(seen, both) for seen in (pixels, pixels.flip(-1)))
    np.testing.assert_allclose(rows, mirrored, atol=1e-6)
    assert np.abs(towers.images(pixels) - towers.images(pixels.flip(-1))).max() > 1e-3


def test_clip_averages_what_it_gives_for_each_view() -> None:
    towers = ClipTowers(CLIP, Runtime(), "own")
    pixels = noise(96)
    alone = [towers.images(pixels, (view,)) for view in views("identity", "hflip", {"scale": 1.3})]
    together = towers.images(pixels, views("identity", "hflip", {"scale": 1.3}))
    np.testing.assert_allclose(together, unit(np.mean(alone, axis=0)), atol=1e-6)


@dataclass(frozen=True)
class Counted(MemoryImages):
    """Images that count how often they are opened."""

    opened: Counter[str] = field(default_factory=Counter)

    def open(self, image_id: str) -> Image.Image:
        self.opened[image_id] += 1
        return super().open(image_id)


@pytest.mark.parametrize("family", ["knn", "regressor"])
def test_families_open_an_image_once_whatever_its_views(family: str, tmp_path: Path) -> None:
    given = {"views": ALL}
    options: Any = (
        KnnOptions.model_validate({"backbone": CLIP, **given})
        if family == "knn"
        else L14Options.model_validate({"backbone": VISION, **given})
    )
    target: Any = Knn if family == "knn" else ClipRegressor
    prepared = make_prepared(target, options, tmp_path)
    plain = example_images()
    source = Counted({name: plain.open(name) for name in plain.ids})
    images = Images(plain.ids, source)
    rows = rows_of(prepared.load(Runtime(batch_size=3)), images)
    assert source.opened == dict.fromkeys(plain.ids, 1)
    again = rows_of(prepared.load(Runtime(batch_size=8)), images.select(images.ids[::-1]))
    bare = target(options.model_copy(update={"views": IDENTITY}), Runtime())
    bare.load(tmp_path)
    without = rows_of(bare, images)
    for name in images.ids:
        np.testing.assert_allclose(rows[name], again[name], atol=1e-5)
        assert abs(float(np.linalg.norm(rows[name])) - 1) < 1e-5
    assert any(np.abs(rows[name] - without[name]).max() > 1e-3 for name in images.ids)


@pytest.mark.parametrize(
    "given", [[], ["hflp"], [{"scale": 1.0}], [{"scale": 2.5}], [{"scal": 1.1}], "hflip"]
)
def test_views_that_there_are_not(given: Any) -> None:
    with pytest.raises(ValidationError, match="views"):
        KnnOptions.model_validate({"backbone": CLIP, "views": given})
