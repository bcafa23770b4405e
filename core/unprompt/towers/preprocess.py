"""Image -> pixels, where the YAML says how."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from unprompt.towers.sources import PreprocessConfig

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


def transform(config: PreprocessConfig) -> Callable[[Image], torch.Tensor]:
    """The resize, centre crop and normalisation, by torchvision.

    Returns:
        RGB image -> float32 of shape (3, size, size).
    """
    from torchvision.transforms import (
        CenterCrop,
        Compose,
        InterpolationMode,
        Normalize,
        Resize,
        ToTensor,
    )

    how = InterpolationMode(config.interpolation)
    side = config.size if config.resize == "shortest" else (config.size, config.size)
    steps = [
        Resize(side, how),
        CenterCrop(config.size),
        ToTensor(),
        Normalize(config.mean, config.std),
    ]
    composed: Callable[[Image], torch.Tensor] = Compose(steps)
    return composed
