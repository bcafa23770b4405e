"""The formulas of the 68th-place solution (plugins/kaggle-68th.md), written out in float64.

The expected side is plain numpy and calls nothing of unprompt.
"""

from __future__ import annotations

import csv
import itertools
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from unprompt._data.memory import MemoryImages
from unprompt._data.predictions import read_predictions, write_predictions
from unprompt._scoring.blend import blend
from unprompt.bank import PromptBank
from unprompt.contracts import Batch, Images, Runtime
from unprompt.embeddings import Embeddings, unit
from unprompt.towers import averaged
from unprompt.towers.sources import PreprocessConfig
from unprompt_knn.kernel import Power
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions
from unprompt_painter.world import World

from .formulas import CHECKPOINTS, CLIP_MEAN, CLIP_STD, Rows, knn, least_cosine, normalised, pixels

CLIP_A = CHECKPOINTS / "clip-a"
POWER = Power(power=6, epsilon=1e-4)
WEIGHTS = (0.4, 0.4, 0.5, 0.2, 0.2)


def assert_parity(rows: npt.ArrayLike, wanted: Rows) -> None:
    """Every row points where it should (cosine at least 0.99999), and has length 1."""
    np.testing.assert_allclose((np.asarray(rows, np.float64) ** 2).sum(axis=1), 1, atol=1e-6)
    assert least_cosine(rows, wanted) >= 0.99999


# kNN


@pytest.mark.parametrize("spread", [(-1.0, 1.0), (0.25, 0.36), (0.9, 1.0)])
def test_the_power_kernel(spread: tuple[float, float]) -> None:
    rows = np.random.default_rng(0).uniform(*spread, size=(50, 100)).astype(np.float32)
    raw = 1 / ((1 - rows.astype(np.float64)) ** 6 + 1e-4)
    wanted = raw / raw.sum(axis=1, keepdims=True)
    numbers, keys = np.zeros(rows.shape, np.int64), np.empty((0, 0), np.float32)  # not looked at
    np.testing.assert_allclose(POWER.shares(rows, numbers, keys), wanted, rtol=1e-12)


@pytest.fixture(scope="module")
def queries() -> Rows:
    """CLIP image embeddings of six painter images, by open_clip alone, in float64."""
    import open_clip
    import torch

    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{CLIP_A}")
    pixels = torch.stack([preprocess(image) for image in example_images().values()])
    with torch.inference_mode():
        rows = model.eval().double().encode_image(pixels.double()).numpy()
    return normalised(rows)


def example_images() -> dict[str, Image.Image]:
    return {f"image-{i}": World(5, size=128).image(i) for i in range(6)}


def random_bank(queries: Rows, size: int) -> PromptBank:
    """Random rows around the queries, as near as an exact match and as far as the other side."""
    rng = np.random.default_rng(size)
    share = rng.uniform(-0.5, 0.6, size=(size, 1)) ** 3
    share[:3] = 1.0  # exact matches of the first image
    noise = normalised(rng.normal(size=(size, queries.shape[1])))
    keys = unit(share * queries[rng.integers(0, len(queries), size)] + (1 - abs(share)) * noise)
    keys[:3] = unit(queries[:1])
    targets = unit(rng.normal(size=(size, 384)))
    return PromptBank.of([f"prompt {i}" for i in range(size)], targets, keys)


@pytest.mark.parametrize("size", [40, 100, 101, 2500])
def test_knn_over_a_bank_of_random_rows(queries: Rows, size: int, tmp_path: Path) -> None:
    bank = random_bank(queries, size)
    bank.save(tmp_path)
    options = {"backbone": {"folder": str(CLIP_A)}, "neighbours": 100, "kernel": POWER.model_dump()}
    predictor = Knn(KnnOptions.model_validate(options), Runtime(batch_size=4))
    predictor.load(tmp_path)
    sources = example_images()
    batches = list(predictor.predict(Images(tuple(sources), MemoryImages(sources))))
    predictor.close()
    keys, targets = bank.keys.astype(np.float64), bank.targets.astype(np.float64)
    wanted = knn(queries, keys, targets)
    assert_parity(np.concatenate([batch.embeddings.rows for batch in batches]), wanted)
    if size > 100:  # the rows that a sum over the whole bank would add are noticed
        everything = 1 / ((1 - queries @ keys.T) ** 6 + 1e-4)
        all_rows = normalised(everything @ targets)
        assert (all_rows * wanted).sum(axis=1).min() < 0.99999


def test_the_neighbours_are_the_hundred_nearest(queries: Rows) -> None:
    bank = random_bank(queries, 2500)
    cosines, numbers = bank.search_keys(unit(queries), 100)
    exact = queries @ bank.keys.astype(np.float64).T
    for line, nearest, wanted in zip(cosines, numbers, exact, strict=True):
        best = np.argsort(-wanted, kind="stable")
        assert wanted[best[99]] - wanted[best[100]] > 1e-6  # rounding cannot choose
        assert set(nearest.tolist()) == set(best[:100].tolist())
        np.testing.assert_allclose(line, wanted[nearest], atol=1e-6)


# Preprocess


@pytest.mark.parametrize("shape", [(160, 160), (160, 120), (120, 160), (40, 30)])
def test_pixels_are_bicubic_224_centre_cropped_and_standardised(shape: tuple[int, int]) -> None:
    image = World(6, size=160).image(0).crop((0, 0, *shape))
    config = PreprocessConfig(size=224, mean=CLIP_MEAN, std=CLIP_STD)
    wanted = pixels(image, 224, CLIP_MEAN, CLIP_STD)
    np.testing.assert_allclose(config.transform()(image).numpy(), wanted, atol=1e-5)


# Views


def test_identity_and_hflip_are_the_expectation_of_three_random_flips() -> None:
    import torch

    rng = np.random.default_rng(1)
    matrix, inputs = rng.normal(size=(3 * 8 * 8, 384)), rng.normal(size=(5, 3, 8, 8))

    def encode(seen: torch.Tensor) -> npt.NDArray[np.float32]:
        return unit(seen.numpy().reshape(len(seen), -1) @ matrix)

    plain = normalised(inputs.reshape(5, -1) @ matrix)
    flipped = normalised(inputs[..., ::-1].reshape(5, -1) @ matrix)
    passes = [
        np.mean([flipped if flip else plain for flip in flips], axis=0)
        for flips in itertools.product((False, True), repeat=3)  # eight, equally likely
    ]
    rows = averaged(encode, torch.from_numpy(inputs), ("identity", "hflip"))
    assert_parity(rows, normalised(np.mean(passes, axis=0)))
    assert_parity(rows, normalised((plain + flipped) / 2))


# Blend


def test_the_blend_is_the_normalised_weighted_sum() -> None:
    rng = np.random.default_rng(2)
    centre = rng.normal(size=(40, 384))
    members = [unit(centre + rng.normal(size=(40, 384))) for _ in WEIGHTS]
    ids = tuple(f"image-{i}" for i in range(40))
    wanted = normalised(
        0.4 * members[0].astype(np.float64)
        + 0.4 * members[1]
        + 0.5 * members[2]
        + 0.2 * members[3]
        + 0.2 * members[4]
    )
    shuffled = []
    for rows in members:  # each member in an order of its own: they are joined by id
        order = rng.permutation(40)
        shuffled.append(Embeddings(tuple(ids[i] for i in order), rows[order]))
    blended = blend(shuffled, WEIGHTS)
    assert sorted(blended.ids) == sorted(ids)
    assert_parity(blended.align(ids).rows, wanted)


# Submission


def test_the_submission_has_384_rows_an_image_exact_to_the_digit(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    scale = 10.0 ** rng.uniform(-7, 0, size=(7, 384))  # small numbers are written 1.2e-06
    rows = unit(rng.normal(size=(7, 384)) * scale)
    rows[0, :3] = (0.0, -0.0, np.float32(1e-30))
    ids = tuple(f"image_{i}" for i in (3, 1, 2, 10, 0, 7, 5))
    batch = Batch(Embeddings(ids, rows), (None,) * 7, ((),) * 7)
    write_predictions(tmp_path / "submission.csv", "kaggle", batch)
    with (tmp_path / "submission.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["imgId_eId", "val"]
    assert [line[0] for line in lines] == [f"{name}_{e}" for name in ids for e in range(384)]
    values = [line[1] for line in lines]
    np.testing.assert_array_equal(np.array(values, np.float32).reshape(7, 384), rows)
    # numpy's own shortest digits: no fewer than float32 has, and none made up.
    assert [Decimal(text) for text in values] == [Decimal(str(value)) for value in rows.ravel()]


def test_a_submission_in_another_row_order_says_the_same(tmp_path: Path) -> None:
    rows = unit(np.random.default_rng(4).normal(size=(3, 384)))
    lines = [f"{name}_{e},{rows[i, e]}" for i, name in enumerate("abc") for e in range(384)]
    np.random.default_rng(5).shuffle(lines)
    (tmp_path / "shuffled.csv").write_text("\n".join(["imgId_eId,val", *lines]) + "\n")
    predictions = read_predictions(tmp_path / "shuffled.csv")
    np.testing.assert_array_equal(predictions.align(("a", "b", "c")).rows, rows)
