"""A teacher gives the same for another tower's pixels as for pixels that it prepared itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt._recipes.losses import EmbeddingLosses
from unprompt._recipes.models import Features
from unprompt._recipes.recipe import RegressionConfig
from unprompt._recipes.targets import Targets
from unprompt._recipes.teacher import Teacher
from unprompt.errors import ConfigError
from unprompt.train.pixels import Pixels

Make = Callable[..., Path]
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PREPROCESS = Pixels(32, *CLIP)


def test_pixels_of_another_normalisation_and_size_give_the_same_rows(toy_teacher: Make) -> None:
    import open_clip
    import torch

    folder = toy_teacher(48)
    colours = torch.rand(5, 3, 1, 1)

    def normalised(mean: tuple[float, ...], std: tuple[float, ...], side: int) -> torch.Tensor:
        plain = colours.expand(-1, -1, side, side)
        return (plain - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]

    model = open_clip.create_model(f"local-dir:{folder}").eval()
    with torch.no_grad():
        wanted = model.encode_image(normalised(*CLIP, 32), normalize=True)
    for (mean, std), side in ((CLIP, 32), (IMAGENET, 32), (IMAGENET, 40)):
        teacher = Teacher(folder, Pixels(side, mean, std))
        features = teacher.features(normalised(mean, std, side))
        assert torch.allclose(teacher.embeddings(features), wanted, atol=1e-4)
        tokens = teacher.tokens(features, 2)
        assert tokens.shape == (5, 4, teacher.channels)
        assert torch.allclose(tokens.mean(2), torch.zeros(5, 4), atol=1e-5)


def test_a_tower_without_patches_learns_the_embeddings_of_the_first_time(
    toy_teacher: Make, regression: Callable[..., RegressionConfig]
) -> None:
    import numpy as np
    import torch

    targets = Targets([f"prompt {i}" for i in range(6)], np.eye(6, 48, dtype=np.float32))
    folder = toy_teacher(48)
    config = regression(distill=1.0, teacher=str(folder))
    losses = EmbeddingLosses(config, targets, PREPROCESS)
    plain = EmbeddingLosses(regression(), targets, PREPROCESS)
    model = torch.nn.ModuleDict(losses.heads(8, patches=False))
    assert list(model) == ["fc", "distilled"]
    features, rows = Features(torch.randn(2, 8)), torch.tensor([1, 4])
    pixels = torch.randn(2, 3, 32, 32)
    teacher = Teacher(folder, PREPROCESS)
    wanted = teacher.embeddings(teacher.features(pixels))
    student = torch.nn.functional.normalize(model["distilled"](features.pooled), dim=1)
    none = rows[:0]
    before = plain.loss(model, features, pixels, rows, none)
    expected = before + 1 - (student * wanted).sum(1).mean()
    assert torch.allclose(losses.loss(model, features, pixels, rows, none), expected, atol=1e-5)
    again = losses.loss(model, features, torch.zeros_like(pixels), rows, none)
    assert torch.allclose(again, expected, atol=1e-5)


def test_a_folder_with_other_weights_is_an_error(toy_teacher: Make) -> None:
    folder, other = toy_teacher(48), toy_teacher(32)
    name = "open_clip_model.safetensors"
    (folder / name).write_bytes((other / name).read_bytes())
    with pytest.raises(ConfigError, match=r"^teacher: .*teacher-48: Error"):
        Teacher(folder, PREPROCESS)
