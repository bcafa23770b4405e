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


BLANK = ((0.0,) * 3, (1.0,) * 3)
"""Mean and deviation of pixels that nobody looks at."""


class Blank:
    """The images of an objective that reads prompts alone: one pixel each, nothing is opened."""

    def open(self, image_id: str) -> Image:
        """A black pixel."""
        from PIL import Image

        return Image.new("RGB", (1, 1))

    def digest(self, image_id: str) -> str:
        """The same for all."""
        return "blank"
