"""Styles: how each medium draws figures, and its filter over the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from random import Random
from typing import Any

from PIL import Image

from unprompt_painter.data import Colour, load
from unprompt_painter.draw.adjustments import ADJUSTMENTS, MIXES
from unprompt_painter.draw.canvas import Canvas
from unprompt_painter.draw.patterns import PATTERNS, PIXELS, VARIANTS
from unprompt_painter.draw.steps import Step, read


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
        filter: Steps of a ``Filtering``.
    """

    outline: str | None = None
    outline_width: float = 3.0
    soft_backdrop: bool = False
    glow: bool = False
    drop_shadow: bool = False
    fade: float = 0.0
    filter: Sequence[Step] = ()


@cache
def style_of(key: str | None) -> Style:
    """Returns a style by its key; None stands for a plain image."""
    if key is None:
        return Style()
    entry = load(f"styles/{key}")
    return Style(**entry | {"filter": read(entry["filter"])})


class Filtering(Canvas):
    """Filters an image.

    To the operations of a canvas come ``ADJUSTMENTS``, ``MIXES`` and ``PATTERNS``; ``keep NAME``
    and ``from NAME``, which keep the image as a layer and return to it (the first one is called
    ``image``); and ``paint A B``, which puts A wherever B is white. Second images are layers,
    textures of ``textures.yaml`` or colours.
    """

    def __init__(self, image: Image.Image, rng: Random) -> None:
        """Filters an image of ``PIXELS`` by ``PIXELS`` pixels, which itself stays as it is."""
        super().__init__(image, rng)
        self.layers = {"image": image}

    @cached_property
    def variant(self) -> int:
        """Which of the random patterns and textures."""
        return self.rng.randrange(VARIANTS)

    def draw(self, operation: str, *values: Any) -> None:
        """Carries out one operation."""
        if operation == "keep":
            self.layers[values[0]] = self.image.copy()
        elif operation == "from":
            self.show(self.layers[values[0]].copy())
        elif operation in PATTERNS:
            name, *numbers = values
            self.layers[name] = PATTERNS[operation](self.image, self.variant, *numbers)
        elif operation == "paint":
            self.show(self.image.copy())
            self.image.paste(self._second(values[0]), mask=self._second(values[1]))
        elif operation in MIXES:
            second = self._second(values[0]).convert(self.image.mode)
            self.show(MIXES[operation](self.image, second, *values[1:]))
        elif operation in ADJUSTMENTS:
            self.show(ADJUSTMENTS[operation](self.image, *values))
        else:
            super().draw(operation, *values)

    def _second(self, source: str | Colour) -> Image.Image:
        if not isinstance(source, str):
            return Image.new("RGB", self.image.size, source)
        if source in self.layers:
            return self.layers[source]
        random = source in load("textures")["random"]
        return _texture(source, self.variant if random else 0)


@cache
def _texture(name: str, variant: int) -> Image.Image:
    textures = load("textures")
    steps = read((textures["random"] | textures["fixed"])[name])
    return Filtering(Image.new("RGB", (PIXELS, PIXELS)), Random(variant)).run(steps)
