"""Frozen features as the samples of a fit: a head is fitted alone by the same loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unprompt.contracts import Images
from unprompt.train.broken import Broken
from unprompt.train.pixels import Pixels
from unprompt.train.samples import Pick, Samples
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class AsTheyAre(Pixels):
    """Inputs that are no pixels, and need nothing done to them."""

    __slots__ = ()

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """The same."""
        return batch


FEATURES = AsTheyAre(size=1, mean=(0.0,) * 3, std=(1.0,) * 3)
"""What a task says of its inputs where they are features."""


class FeatureSamples(Samples):
    """(epoch, row) -> features of shape (F,); every epoch sees the same."""

    def __init__(self, images: Images, features: FloatArray) -> None:
        """Open no image.

        Args:
            images: N images, for their ids.
            features: Of shape (N, F); may be memory-mapped.
        """
        super().__init__(images, _unused, FEATURES)
        self._features = features

    def __getitem__(self, pick: Pick) -> torch.Tensor | Broken:
        """One image's features."""
        import torch

        return torch.from_numpy(np.array(self._features[pick[1]]))


def _unused(image: Image) -> torch.Tensor:
    """The preprocess of what is no image."""
    raise NotImplementedError
