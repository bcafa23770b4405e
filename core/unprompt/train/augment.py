"""Augmentations: a named list, each with its strength; chance by seed, epoch and sample alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from unprompt._config.base import Model
from unprompt._config.check import did_you_mean
from unprompt._config.choice import Choice, refuse_options

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    Fill = tuple[int, ...]

_STREAM = 2
"""Tells these random numbers from others of the same seed and epoch."""
_RATIOS = (3 / 4, 4 / 3)
_ERASED_AREAS, _ERASED_RATIOS = (0.02, 1 / 3), (0.3, 3.3)
"""Of `timm` and torchvision."""


class Crop(Model):
    """A random part of the image, enlarged back to its size."""

    smallest: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="The part's area is random between this share of the image's and all of it.",
        json_schema_extra={"unit": "share"},
    )

    def apply(
        self, pixels: torch.Tensor, generator: np.random.Generator, fill: Fill
    ) -> torch.Tensor:
        """The part, width to height at random from 3:4 to 4:3."""
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.v2 import functional

        sides = [int(side) for side in pixels.shape[-2:]]
        area = generator.uniform(self.smallest, 1)
        top, left, tall, wide = _box(sides, area, _RATIOS, generator)
        made: torch.Tensor = functional.resized_crop(
            pixels, top, left, tall, wide, sides, InterpolationMode.BICUBIC, antialias=True
        )
        return made


class Erase(Model):
    """A random rectangle in the colour that means nothing: zero once it is normalised."""

    probability: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Of an image losing a rectangle of 2 to 33 % of its area.",
        json_schema_extra={"unit": "share"},
    )

    def apply(
        self, pixels: torch.Tensor, generator: np.random.Generator, fill: Fill
    ) -> torch.Tensor:
        """The image, the rectangle filled."""
        from torchvision.transforms.v2 import functional

        if generator.random() >= self.probability:
            return pixels
        area = generator.uniform(*_ERASED_AREAS)
        box = _box([int(side) for side in pixels.shape[-2:]], area, _ERASED_RATIOS, generator)
        made: torch.Tensor = functional.erase(pixels, *box, pixels.new_tensor(fill).view(-1, 1, 1))
        return made


class Colour(Model):
    """Brightness, contrast and saturation by random factors; no hue, which prompts name."""

    strength: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Each factor is random from 1 - strength to 1 + strength.",
        json_schema_extra={"unit": "share"},
    )

    def apply(
        self, pixels: torch.Tensor, generator: np.random.Generator, fill: Fill
    ) -> torch.Tensor:
        """The image, changed in this order."""
        from torchvision.transforms.v2 import functional

        factors = generator.uniform(1 - self.strength, 1 + self.strength, 3)
        for adjust, factor in zip(
            (
                functional.adjust_brightness,
                functional.adjust_contrast,
                functional.adjust_saturation,
            ),
            factors,
            strict=True,
        ):
            pixels = adjust(pixels, float(factor))
        return pixels


class Shift(Model):
    """The image moved by some pixels; its edges are repeated."""

    pixels: int = Field(
        default=4,
        ge=0,
        le=1024,
        description="Farthest move, right or left and up or down.",
        json_schema_extra={"unit": "pixels"},
    )

    def apply(
        self, pixels: torch.Tensor, generator: np.random.Generator, fill: Fill
    ) -> torch.Tensor:
        """The image at another place."""
        import torch

        rows, columns = (generator.integers(0, 2 * self.pixels + 1, 2) - self.pixels).tolist()
        # numpy: for so few bytes, torch and torchvision take longer to be called than to move them
        return torch.from_numpy(_moved(_moved(pixels.numpy(), rows, axis=1), columns, axis=2))


class HFlip(Model):
    """The mirrored image; never a default, because prompts say left and right."""

    probability: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Of an image being mirrored.",
        json_schema_extra={"unit": "share"},
    )

    def apply(
        self, pixels: torch.Tensor, generator: np.random.Generator, fill: Fill
    ) -> torch.Tensor:
        """The image, or its mirror image."""
        return pixels.flip(-1) if generator.random() < self.probability else pixels


class CropStep(Model):
    """As YAML writes it."""

    crop: Crop = Field(description=str(Crop.__doc__))


class EraseStep(Model):
    """As YAML writes it."""

    erase: Erase = Field(description=str(Erase.__doc__))


class ColourStep(Model):
    """As YAML writes it."""

    colour: Colour = Field(description=str(Colour.__doc__))


class ShiftStep(Model):
    """As YAML writes it."""

    shift: Shift = Field(description=str(Shift.__doc__))


class HFlipStep(Model):
    """As YAML writes it."""

    hflip: HFlip = Field(description=str(HFlip.__doc__))


Step = CropStep | EraseStep | ColourStep | ShiftStep | HFlipStep
Named = Literal["crop", "erase", "colour", "shift", "hflip"]
NAMES: tuple[str, ...] = get_args(Named)


def _name(raw: Mapping[str, Any]) -> str:
    """Which augmentation is written. Raises what `refuse_options` raises."""
    keys = [str(key) for key in raw]
    if len(keys) == 1 and keys[0] in NAMES:
        return keys[0]
    unknown = [key for key in keys if key not in NAMES]
    near = did_you_mean(unknown[0], set(NAMES)) if unknown else ""
    what = f"unknown augmentation {unknown[0]!r}{near}" if unknown else "should be one key"
    message = "{what}; known are {names}"
    words = {"what": what, "names": ", ".join(NAMES)}
    error = PydanticCustomError("augmentation", message, words)
    refuse_options([InitErrorDetails(type=error, loc=(), input=None)])


_CHOICE = Choice(dict(zip(NAMES, get_args(Step), strict=True)), _name, {})


def _step(raw: object, info: ValidationInfo) -> object:
    """A name is an augmentation with its defaults, and so is a name with nothing beside it."""
    if isinstance(raw, Model):
        return raw
    if isinstance(raw, str):
        raw = {raw: None}
    if not isinstance(raw, dict):
        raw = {repr(raw): None}
    return _CHOICE({key: {} if value is None else value for key, value in raw.items()}, info)


Augmentation = Annotated[Step, BeforeValidator(_step, json_schema_input_type=Named | Step)]
Augmentations = Annotated[
    tuple[Augmentation, ...],
    Field(
        strict=False,
        description="Random changes of each training image, in this order: `crop`, `erase`, "
        "`colour`, `shift`, `hflip`, or with options, `{erase: {probability: 0.25}}`. What is "
        "random depends on the seed, the epoch and the image alone.",
    ),
]


def augmented(
    pixels: torch.Tensor, steps: Sequence[Step], key: tuple[int, int, int], fill: Fill
) -> torch.Tensor:
    """An image, changed at random.

    Args:
        pixels: uint8 of shape (3, S, S); left as it is.
        steps: Augmentations, in their order.
        key: Seed, epoch and number of the sample; the same key changes the same image alike, in
            whatever thread, process or attempt.
        fill: The 8-bit colour of nothing.

    Returns:
        uint8 of shape (3, S, S).
    """
    import numpy as np

    generator = np.random.default_rng([*key, _STREAM])
    for step in steps:
        change = next(iter(dict(step).values()))
        pixels = change.apply(pixels, generator, fill)
    return pixels


def _moved(pixels: npt.NDArray[np.uint8], offset: int, axis: int) -> npt.NDArray[np.uint8]:
    """An image whose rows or columns are those ``offset`` further on; beyond its edge, the edge."""
    import numpy as np

    made = np.empty_like(pixels)
    source, target = pixels.swapaxes(0, axis), made.swapaxes(0, axis)
    side = len(source)
    first, last = min(side, max(0, -offset)), max(0, side - max(0, offset))
    target[first:last] = source[first + offset : last + offset]
    target[:first], target[last:] = source[0], source[-1]
    return made


def _box(
    sides: Sequence[int],
    area: float,
    ratios: tuple[float, float],
    generator: np.random.Generator,
) -> tuple[int, int, int, int]:
    """A random rectangle of a share of the area: top, left, height, width.

    Of the ratios of width to height (relative to the image's) those are drawn that fit into it.
    """
    height, width = sides
    narrow, broad = max(ratios[0], area), min(ratios[1], 1 / area)
    ratio = math.exp(generator.uniform(math.log(narrow), math.log(broad)))
    tall = min(height, max(1, round(height * math.sqrt(area / ratio))))
    wide = min(width, max(1, round(width * math.sqrt(area * ratio))))
    top = int(generator.integers(0, height - tall + 1))
    left = int(generator.integers(0, width - wide + 1))
    return top, left, tall, wide
