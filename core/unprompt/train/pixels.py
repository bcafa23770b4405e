"""Pixels as they are stored and sent, 8 bits each, and as a model takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from unprompt.errors import DataError
from unprompt.towers.architectures import CLIP_MEAN, CLIP_STD
from unprompt.train.sending import sent

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    Preprocess = Callable[[Image], torch.Tensor]

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_KNOWN = (*CLIP_MEAN, *CLIP_STD, *_IMAGENET_MEAN, *_IMAGENET_STD, 0.0, 0.5, 1.0)
"""What towers normalise by: a measured number that is one of these but for rounding is that one."""
_ROUNDING = 5e-6
_LEVELS = 256


class Inputs(Protocol):
    """How samples, as they are stored and sent, become a model's input."""

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """The model's input, on the device of ``batch``; both of shape (n, ...)."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """How 8-bit pixels become a model's input.

    Resizing and cropping happen in 8 bits in every preprocess of torchvision, timm, open_clip and
    transformers; what follows is arithmetic on single values. So a preprocessed image is kept and
    sent to other processes and devices as bytes, a quarter of the size, without any loss.

    Attributes:
        size: Side of the square input, in pixels.
        mean: Subtracted from each channel's values in 0..1.
        std: Divides them afterwards.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def measured(cls, preprocess: Preprocess) -> Pixels:
        """Size, mean and deviation of a preprocess, whichever library it comes from.

        Args:
            preprocess: RGB image -> float32 of shape (3, S, S).

        Raises:
            DataError: It gives something else, or its values are no normalised 8-bit pixels.
        """
        black, white = (_flat(preprocess, level) for level in (0, _LEVELS - 1))
        first, last = black.amin((1, 2)).double(), white.amin((1, 2)).double()
        std = tuple(_snapped(1 / float(step)) for step in last - first)
        mean = tuple(_snapped(-float(low) * s) for low, s in zip(first, std, strict=True))
        pixels = cls(black.shape[-1], mean, std)
        pixels._check(preprocess)
        return pixels

    def to_uint8(self, pixels: torch.Tensor) -> torch.Tensor:
        """The 8-bit pixels that a preprocess has normalised: float (..., 3, S, S) -> uint8."""
        mean, std = self._columns(pixels)
        values = (pixels * std).add_(mean).mul_(_LEVELS - 1)
        return values.round_().clamp_(0, _LEVELS - 1).byte()

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """The model's input, on the device of ``batch``.

        Args:
            batch: uint8 of shape (n, 3, S, S).

        Returns:
            float32 of the same shape, ``channels_last`` in memory. Computed as torchvision does,
            so bit for bit what its preprocess gave; transformers rounds once less (1e-6).
        """
        import torch

        values = batch.to(torch.float32, memory_format=torch.channels_last, copy=True)
        mean, std = self._columns(values)
        return values.div_(_LEVELS - 1).sub_(mean).div_(std)

    @property
    def fill(self) -> tuple[int, ...]:
        """The 8-bit colour that is nearest to zero once it is normalised."""
        return tuple(round(min(max(level, 0), 1) * (_LEVELS - 1)) for level in self.mean)

    def _columns(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation of shape (3, 1, 1), in the number format of ``like``."""
        import torch

        numbers = torch.tensor((self.mean, self.std), dtype=like.dtype, device="cpu")
        mean, std = sent(numbers, like.device).view(2, -1, 1, 1)
        return mean, std

    def _check(self, preprocess: Preprocess) -> None:
        """Raise DataError unless every level of 8 bits comes back from its normalised value."""
        import torch

        for level in range(0, _LEVELS, 5):
            flat = _flat(preprocess, level)
            again = self.to_uint8(flat)
            near = torch.allclose(self.normalise(again[None])[0], flat, atol=1e-4)
            if not near or not bool((again == level).all()):
                raise DataError(
                    "the preprocess does more than to resize and to normalise: of a level of "
                    f"{level} it makes {float(flat.min()):.4f} to {float(flat.max()):.4f}, so "
                    "training cannot keep its images in 8 bits"
                )


def _flat(preprocess: Preprocess, level: int) -> torch.Tensor:
    """What a preprocess makes of a grey image."""
    from PIL import Image

    made = preprocess(Image.new("RGB", (64, 64), (level, level, level)))
    if made.ndim != 3 or made.shape[0] != 3 or made.shape[1] != made.shape[2]:
        raise DataError(f"training needs pixels of shape (3, S, S), got {tuple(made.shape)}")
    return made


def _snapped(value: float) -> float:
    """A measured number without the rounding of float32."""
    nearest = min(_KNOWN, key=lambda known: abs(known - value))
    return nearest if abs(nearest - value) < _ROUNDING else round(value, 7)
