"""Images of a recipe as square pixels, whatever their shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unprompt.train.pixels import Pixels

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class SquarePixels:
    """Scales an image to a square, as small towers are trained on, and normalises it.

    Attributes:
        pixels: Size and normalisation.
    """

    pixels: Pixels

    def __call__(self, image: Image) -> torch.Tensor:
        """Float32 of shape (3, size, size)."""
        import numpy as np
        import torch
        from PIL.Image import Resampling

        scaled = image.resize((self.pixels.size,) * 2, Resampling.BICUBIC)
        stored = torch.from_numpy(np.array(scaled)).permute(2, 0, 1)
        return self.pixels.normalise(stored[None])[0]
