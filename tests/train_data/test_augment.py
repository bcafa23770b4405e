"""Augmentations: what each does, that chance is a function of the key, and mistakes in YAML."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from unprompt import Model
from unprompt.train.augment import NAMES, Augmentations, augmented

FILL = (10, 20, 30)


class Options(Model):
    """As a family has them."""

    augment: Augmentations = ()


def steps(*given: object) -> Any:
    return Options.model_validate({"augment": list(given)}).augment


@pytest.fixture
def image() -> Any:
    """uint8 of shape (3, 32, 32): right is brighter than left, down is redder."""
    import torch

    across = torch.arange(32).repeat(32, 1) * 6
    return torch.stack([across.T, across, across]).to(torch.uint8)


def drawn(image: Any, *given: object, times: int = 200) -> list[Any]:
    made = steps(*given)
    return [augmented(image, made, (1, 0, row), FILL) for row in range(times)]


def test_names_alone_have_defaults() -> None:
    assert steps(*NAMES) == steps(*({name: {}} for name in NAMES))
    assert steps({"erase": None}) == steps("erase")
    assert steps("crop")[0].model_dump() == {"crop": {"smallest": 0.8}}


@pytest.mark.parametrize("name", NAMES)
def test_chance_is_a_function_of_seed_epoch_and_sample(image: Any, name: str) -> None:
    import torch

    made = steps(name)
    keys = [(seed, epoch, row) for seed in (0, 1) for epoch in range(4) for row in range(4)]
    first = [augmented(image, made, key, FILL) for key in keys]
    torch.rand(5)  # others' random numbers change nothing
    again = [augmented(image, made, key, FILL) for key in reversed(keys)][::-1]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({pixels.numpy().tobytes() for pixels in first}) > 1
    assert {(pixels.dtype, pixels.shape) for pixels in first} == {(torch.uint8, image.shape)}


def test_the_image_itself_is_left_as_it_is(image: Any) -> None:
    before = image.clone()
    drawn(image, *NAMES, times=30)
    assert bool((image == before).all())


def test_a_flip_mirrors_as_often_as_it_says(image: Any) -> None:
    import torch

    made = drawn(image, {"hflip": {"probability": 0.3}}, times=1000)
    mirrored = sum(torch.equal(pixels, image.flip(-1)) for pixels in made)
    kept = sum(torch.equal(pixels, image) for pixels in made)
    assert mirrored + kept == 1000
    assert abs(mirrored - 300) < 75  # binomial: deviates by 14.5


def test_nothing_is_erased_beyond_a_third(image: Any) -> None:
    for pixels in drawn(image, {"erase": {"probability": 1}}):
        changed = (pixels != image).any(0)
        rows, columns = (np.flatnonzero(changed.any(axis).numpy()) for axis in (1, 0))
        area = len(rows) * len(columns)
        assert 0 < area <= 1.15 * 32 * 32 / 3  # whole pixels
        assert len(rows) == rows[-1] - rows[0] + 1
        inside = pixels[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert {tuple(colour.tolist()) for colour in inside.flatten(1).T} == {FILL}


def test_a_shift_moves_every_pixel_alike_and_no_farther(image: Any) -> None:
    moves = set()
    for pixels in drawn(image, {"shift": {"pixels": 3}}, times=900):
        middle = pixels[:, 16, 16].tolist()
        right, down = 16 - middle[1] // 6, 16 - middle[0] // 6
        moves.add((right, down))
        wanted = np.clip(np.arange(32) - right, 0, 31) * 6
        assert pixels[1, 0].tolist() == wanted.tolist(), "the edge is repeated"
    assert len(moves) == 7 * 7
    assert max(max(abs(a), abs(b)) for a, b in moves) == 3


@pytest.mark.parametrize("most", [2, 40])
def test_a_shift_is_a_crop_of_the_image_with_wider_edges(most: int) -> None:
    """As torchvision computes it, bit for bit; 40 is more than a side."""
    import torch
    from torchvision.transforms.v2 import functional

    noise = np.random.default_rng(0).integers(0, 256, (3, 9, 7), np.uint8)
    image, made = torch.from_numpy(noise), steps({"shift": {"pixels": most}})
    wider = functional.pad(image, [most], padding_mode="edge")
    shape, corners = [9, 7], set()
    for row in range(200):
        generator = np.random.default_rng([1, 0, row, 2])
        top, left = generator.integers(0, 2 * most + 1, 2).tolist()
        wanted = functional.crop(wider, top, left, *shape)
        assert torch.equal(augmented(image, made, (1, 0, row), FILL), wanted)
        corners.add((top, left))
    assert len(corners) > 20


def test_a_crop_keeps_the_share_that_it_says() -> None:
    import torch

    across = torch.arange(200).repeat(200, 1)
    image = torch.stack([across.T, across, across]).to(torch.uint8)
    areas = []
    for pixels in drawn(image, {"crop": {"smallest": 0.5}}):
        wide, tall = (int(line[-1]) - int(line[0]) + 1 for line in (pixels[1, 9], pixels[0, :, 9]))
        assert 3 / 4 - 0.02 < wide / tall < 4 / 3 + 0.02
        areas.append(tall * wide / 200**2)
    assert 0.48 < min(areas) < 0.53  # the resize rounds the ends of each line
    assert 0.97 < max(areas) <= 1


def test_a_crop_of_everything_changes_nothing(image: Any) -> None:
    for pixels in drawn(image, {"crop": {"smallest": 1}}, times=20):
        assert bool((pixels == image).all())


def test_colours_change_by_no_more_than_the_strength(image: Any) -> None:
    import torch

    grey = torch.full((3, 8, 8), 100, dtype=torch.uint8)
    levels = [int(pixels[0, 0, 0]) for pixels in drawn(grey, {"colour": {"strength": 0.2}})]
    # Contrast and saturation leave a flat grey as it is; brightness is the factor itself.
    assert 77 <= min(levels) < 84  # each step cuts fractions off
    assert 116 < max(levels) <= 121
    assert drawn(grey, {"colour": {"strength": 0}}, times=1)[0].unique().tolist() == [100]


def test_hue_is_left() -> None:
    import torch

    red = torch.zeros((3, 4, 4), dtype=torch.uint8)
    red[0] = 200
    for pixels in drawn(red, {"colour": {"strength": 0.5}}):
        assert pixels[0, 0, 0] > pixels[1, 0, 0]
        assert pixels[1, 0, 0] == pixels[2, 0, 0]


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        ("flip", (1,), "unknown augmentation 'flip'"),
        ("crops", (1,), "did you mean 'crop'"),
        ({"erase": {"probabilty": 0.1}}, (1, "erase", "probabilty"), "unknown key"),
        ({"erase": {"probability": 2}}, (1, "erase", "probability"), "less than or equal to 1"),
        ({"erase": {}, "crop": {}}, (1,), "should be one key"),
        ({"erase": 3}, (1, "erase"), "valid dictionary"),
        (3, (1,), "unknown augmentation '3'"),
        ({}, (1,), "should be one key"),
        ([], (1,), "unknown augmentation"),
    ],
)
def test_mistakes_are_named_at_their_place(
    written: object, place: tuple[object, ...], says: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        steps("crop", written)
    (mistake,) = caught.value.errors()
    assert mistake["loc"] == ("augment", *place)
    assert says in mistake["msg"] or mistake["type"] == "extra_forbidden"


def test_the_schema_takes_what_the_model_takes() -> None:
    from jsonschema import Draft202012Validator

    from unprompt._config.schema_generator import Accepted

    schema = Options.model_json_schema(schema_generator=Accepted)
    check = Draft202012Validator(schema)
    for good in ("crop", {"erase": {"probability": 0.25}}, {"shift": {"pixels": 2}}):
        assert check.is_valid({"augment": [good]}), good
    wrong: tuple[object, ...] = ("crops", {"erase": {"probability": 2}}, {"erases": {}})
    for bad in wrong:
        assert not check.is_valid({"augment": [bad]}), bad
