"""Test-time augmentation as an explicit list of views: no chance, each view computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from unprompt._config.base import Model
from unprompt.embeddings import unit
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch


class ScaleView(Model):
    """The middle of the image, enlarged."""

    scale: float = Field(gt=1, le=2, description="Enlargement; 1.1 cuts a twentieth off each side.")


View = Literal["identity", "hflip", "five-crop"] | ScaleView
Views = Annotated[
    tuple[View, ...],
    Field(
        strict=False,
        min_length=1,
        description="Views of each image, computed once each and averaged: `identity`, `hflip`, "
        "`five-crop` (the corners and the middle, at 8/9 of the side), `{scale: 1.1}`.",
    ),
]
IDENTITY: tuple[View, ...] = ("identity",)
_CROP = 8 / 9
"""Side of a crop of ``five-crop``: what 224 is to 252."""


def averaged(
    encode: Callable[[torch.Tensor], FloatArray], pixels: torch.Tensor, views: tuple[View, ...]
) -> FloatArray:
    """The normalised mean of unit rows over views.

    With ``[identity, hflip]`` this is what a random flip gives on average.

    Args:
        encode: Pixels (n, 3, H, W) -> unit rows (n, C).
        pixels: Preprocessed pixels of shape (n, 3, H, W).
        views: At least one.

    Returns:
        Unit rows of shape (n, C).
    """
    if views == IDENTITY:
        return encode(pixels)
    rows = [encode(part) for view in views for part in _parts(pixels, view)]
    return unit(sum(rows[1:], start=rows[0]) / len(rows))


def _parts(pixels: torch.Tensor, view: View) -> Iterator[torch.Tensor]:
    """The images that one view stands for, each of the shape of ``pixels``."""
    if view == "identity":
        yield pixels
    elif view == "hflip":
        yield pixels.flip(-1)
    elif view == "five-crop":
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)):
            yield _enlarged(pixels, _CROP, down, right)
    else:
        yield _enlarged(pixels, 1 / view.scale, 0.5, 0.5)


def _enlarged(pixels: torch.Tensor, share: float, down: float, right: float) -> torch.Tensor:
    """A crop of ``share`` of each side, placed at ``down`` and ``right``, enlarged back."""
    from torch.nn.functional import interpolate

    height, width = pixels.shape[-2:]
    tall, wide = max(1, round(height * share)), max(1, round(width * share))
    top, left = round((height - tall) * down), round((width - wide) * right)
    crop = pixels[..., top : top + tall, left : left + wide]
    return interpolate(crop, (height, width), mode="bicubic", align_corners=False)
