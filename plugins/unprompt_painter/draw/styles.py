"""Styles: how each medium draws figures, and its filter over the whole image.

A filter (in ``styles/*.yaml``) is a map of layers, each made by steps from the image or, after
``from``, from an earlier layer; the last layer is the result. A step is an adjustment with its
numbers (``saturate 1.4``), a mix with a second image (``multiply grain 190 255``), ``paint A B``
(A wherever B is white) or a map with ``draw``, the steps of a drawing. A second image is a layer,
a texture of ``textures.yaml``, a colour, or ``grain``, ``cells``, ``tones`` or ``borders`` of the
style's pattern.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from random import Random
from typing import Any

from PIL import Image

from unprompt_painter.data import colour, load
from unprompt_painter.draw.adjustments import ADJUSTMENTS, MIXES
from unprompt_painter.draw.canvas import Canvas
from unprompt_painter.draw.patterns import (
    PIXELS,
    VARIANTS,
    borders,
    cell_means,
    cell_tones,
    cells_of,
    grain,
)
from unprompt_painter.draw.steps import Step, read

FilterStep = tuple[str, ...] | tuple[Step, ...]
"""The words of a step, or the steps of a drawing."""


@dataclass(frozen=True)
class Style:
    """What a style asks of the drawing, and its filter.

    Attributes:
        outline: Colour of the outline; None for the usual one, dark or light by contrast.
        outline_width: Its width in canvas pixels; 0 for no outline.
        soft_backdrop: Whether the place is out of focus.
        glow: Whether the outline is the body's own colour, brightened.
        drop_shadow: Whether figures throw a hard shadow on the place behind them.
        fade: Share by which the place fades to white behind the figures.
        pattern: What the filter cuts the image into: the number of patches and how much longer
            than wide they are; empty for triangles.
        filter: The layers of the filter by name.
    """

    outline: str | None = None
    outline_width: float = 3.0
    soft_backdrop: bool = False
    glow: bool = False
    drop_shadow: bool = False
    fade: float = 0.0
    pattern: tuple[float, ...] = ()
    filter: Mapping[str, Sequence[FilterStep]] = field(default_factory=dict)

    def apply(self, image: Image.Image, rng: Random) -> Image.Image:
        """Returns an image of ``PIXELS`` by ``PIXELS`` pixels under the filter."""
        filtering = _Filtering(self.pattern, rng, {"image": image})
        for name, steps in self.filter.items():
            image = filtering.run(steps, filtering.layers["image"])
            filtering.layers[name] = image
        return image


@cache
def style_of(key: str | None) -> Style:
    """Returns a style by its key; None stands for a plain image."""
    entry = load(f"styles/{key}") if key is not None else {"filter": {}}
    layers = {name: _read(steps) for name, steps in entry["filter"].items()}
    return Style(**entry | {"filter": layers, "pattern": tuple(entry.get("pattern", ()))})


@cache
def _texture(name: str, variant: int) -> Image.Image:
    """Returns an image of ``textures.yaml``; those with random parts differ by variant."""
    blank = Image.new("RGB", (PIXELS, PIXELS))
    return _Filtering((), Random(variant), {}).run(_read(load("textures")[name]), blank)


def _read(steps: Sequence[Any]) -> list[FilterStep]:
    return [tuple(step.split()) if isinstance(step, str) else read(step["draw"]) for step in steps]


@dataclass
class _Filtering:
    """One use of a filter on one image.

    Attributes:
        pattern: The style's.
        rng: Source of all randomness.
        layers: Images by name.
    """

    pattern: tuple[float, ...]
    rng: Random
    layers: dict[str, Image.Image]

    @cached_property
    def variant(self) -> int:
        """Which of the random patterns and textures."""
        return self.rng.randrange(VARIANTS)

    def run(self, steps: Sequence[FilterStep], image: Image.Image) -> Image.Image:
        """Carries out the steps of a layer."""
        for step in steps:
            if isinstance(step[0], str):
                image = self._step(image, *step)
            else:
                image = image.copy()
                Canvas(image, self.rng).run(step)
        return image

    def _step(self, image: Image.Image, operation: str, *words: str) -> Image.Image:
        if operation == "from":
            return self.layers[words[0]]
        if operation == "paint":
            image = image.copy()
            image.paste(self._image(image, words[0]), mask=self._image(image, words[1]))
            return image
        if operation in ADJUSTMENTS:
            return ADJUSTMENTS[operation](image, *words)
        mix = MIXES[operation]
        amounts, source = words[: mix.amounts], words[mix.amounts :]
        second = self._image(image, *source).convert(image.mode)
        return mix.function(image, second, *map(float, amounts))

    def _image(self, image: Image.Image, name: str, *words: str) -> Image.Image:
        """Returns a second image for a step on ``image``."""
        if name in self.layers:
            return self.layers[name]
        if name in load("textures"):
            return _texture(name, self.variant)
        if name == "grain":
            return grain(self.variant, *map(int, words))
        if name == "borders":
            return borders(self.variant, self.pattern)
        if name == "cells":
            return cell_means(image, cells_of(self.variant, self.pattern))
        if name == "tones":
            return cell_tones(cells_of(self.variant, self.pattern), *map(int, words))
        return Image.new("RGB", image.size, colour(name))
