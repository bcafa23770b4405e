"""Preprocessed images as 8-bit pixels: nothing is lost on the way there and back."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from PIL import Image

from unprompt.errors import DataError
from unprompt.train.pixels import Pixels

from .conftest import Transform, noise

CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@pytest.fixture
def levels() -> Any:
    """uint8 of shape (1, 3, 16, 16) in which every channel has every level."""
    import torch

    return torch.stack([torch.arange(256).roll(i) for i in range(3)]).view(1, 3, 16, 16).byte()


def test_a_preprocess_comes_back_from_its_bytes(transform: Transform) -> None:
    import torch

    pixels = Pixels.measured(transform)
    for seed in range(3):
        made = transform(noise(seed))
        again = pixels.normalise(pixels.to_uint8(made)[None])[0]
        assert made.shape[-1] == pixels.size
        torch.testing.assert_close(again, made, rtol=0, atol=2e-6)


def test_bytes_are_those_that_the_resize_made() -> None:
    import torch
    from torchvision import transforms

    resize = transforms.Compose([transforms.Resize(24), transforms.CenterCrop(24)])
    rest = transforms.Compose([transforms.ToTensor(), transforms.Normalize(*CLIP)])
    pixels = Pixels.measured(lambda image: rest(resize(image)))
    resized = resize(noise(1))
    wanted = transforms.functional.pil_to_tensor(resized)
    assert torch.equal(pixels.to_uint8(rest(resized)), wanted)
    assert torch.equal(pixels.normalise(wanted[None])[0], rest(resized)), "bit for bit"


def test_every_level_survives(levels: Any) -> None:
    import torch

    for mean, std in (CLIP, ((0.5,) * 3, (0.5,) * 3), ((0.0,) * 3, (1.0,) * 3)):
        pixels = Pixels(16, mean, std)
        assert torch.equal(pixels.to_uint8(pixels.normalise(levels)), levels)


def test_normalised_values_follow_the_formula(levels: Any) -> None:
    import torch

    made = Pixels(16, *CLIP).normalise(levels)
    channel = made[0, 1].flatten()[levels[0, 1].flatten().argsort()]
    wanted = (torch.arange(256).double() / 255 - CLIP[0][1]) / CLIP[1][1]
    torch.testing.assert_close(channel.double(), wanted, rtol=0, atol=1e-6)
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert made.dtype == torch.float32


def test_measured_numbers_are_those_of_the_configuration(transform: Transform) -> None:
    known = Pixels.measured(transform)
    assert all(0 <= value <= 1 for value in known.mean)
    assert pickle.loads(pickle.dumps(transform)) is not None  # our own bytes
    assert Pixels.measured(pickle.loads(pickle.dumps(transform))) == known


def test_clips_numbers_are_found_to_the_last_digit() -> None:
    from torchvision import transforms

    made = transforms.Compose(
        [transforms.Resize((20, 20)), transforms.ToTensor(), transforms.Normalize(*CLIP)]
    )
    assert Pixels.measured(made) == Pixels(20, *CLIP)


def test_what_is_no_normalisation_is_refused() -> None:
    from torchvision import transforms

    plain = transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()])
    with pytest.raises(DataError, match="does more than to resize and to normalise"):
        Pixels.measured(lambda image: plain(image) ** 2)


def test_pixels_that_are_no_square_are_refused() -> None:
    from torchvision import transforms

    wide = transforms.Compose([transforms.Resize((8, 12)), transforms.ToTensor()])
    with pytest.raises(DataError, match=r"of shape \(3, S, S\), got \(3, 8, 12\)"):
        Pixels.measured(wide)


def test_the_colour_of_nothing_is_the_mean() -> None:
    assert Pixels(8, *CLIP).fill == (123, 117, 104)
    assert Image.new("RGB", (1, 1), Pixels(8, *CLIP).fill).getpixel((0, 0)) == (123, 117, 104)
