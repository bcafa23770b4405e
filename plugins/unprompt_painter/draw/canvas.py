"""The canvas that places, skies, textures and filters work on, step by step."""

from __future__ import annotations

from functools import cache, cached_property
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from unprompt_painter.data import Colour, load
from unprompt_painter.draw.operations import ADJUSTMENTS, DRAWING, MIXES
from unprompt_painter.draw.patterns import PATTERNS, PIXELS, VARIANTS
from unprompt_painter.draw.steps import Steps, run

SIDE = 256
"""Width and height of a scene's canvas in pixels: twice the image's, against jagged edges."""


class Canvas:
    """An image that steps change.

    Beside the operations of ``DRAWING``, ``ADJUSTMENTS``, ``MIXES`` and ``PATTERNS`` there are
    ``keep NAME``, which keeps the image as a layer, ``from NAME``, which returns to a layer (to
    the first image by the name ``image``), and ``paint A B``, which puts A wherever B is white.
    A and B and the second images of mixes are layers, textures of ``textures.yaml`` or colours.

    Attributes:
        image: The image as it is now. Shapes are drawn in its own pixels.
        rng: Source of all randomness.
    """

    def __init__(self, image: Image.Image, rng: Random) -> None:
        """Starts from an RGB image."""
        self.rng = rng
        self._layers = {"image": image}
        self._show(image)

    def run(self, steps: Steps, **names: Any) -> Image.Image:
        """Carries out steps with some names bound and returns the image."""
        run(steps, self._draw, names, self.rng)
        return self.image

    def _draw(self, operation: str, *values: Any) -> None:
        if operation in DRAWING:
            channels = len(values[0])
            DRAWING[operation](self._pens.get(channels) or self._new_pen(channels), *values)
        elif operation in ADJUSTMENTS:
            self._show(ADJUSTMENTS[operation](self.image, *values))
        elif operation in MIXES:
            second = self._second(values[0])
            if second.mode != self.image.mode:
                second = second.convert(self.image.mode)
            self._show(MIXES[operation](self.image, second, *values[1:]))
        elif operation in PATTERNS:
            name, *numbers = values
            self._layers[name] = PATTERNS[operation](self.image, self._variant, *numbers)
        elif operation == "keep":
            self._layers[values[0]] = self.image.copy()
        elif operation == "from":
            self._show(self._layers[values[0]].copy())
        elif operation == "paint":
            source = values[0] if isinstance(values[0], tuple) else self._second(values[0])
            self._show(self.image.copy())
            self.image.paste(source, mask=self._second(values[1]))
        else:
            raise ValueError(f"a canvas has no operation {operation!r}")

    def _show(self, image: Image.Image) -> None:
        self.image = image
        self._pens: dict[int, ImageDraw.ImageDraw] = {}

    def _new_pen(self, channels: int) -> ImageDraw.ImageDraw:
        """Returns a pen for colours of 3 or 4 numbers; the one for transparent ones is slower."""
        pen = ImageDraw.Draw(self.image, "RGBA" if channels == 4 else "RGB")
        self._pens[channels] = pen
        return pen

    @cached_property
    def _variant(self) -> int:
        """Which of the random patterns and textures."""
        return self.rng.randrange(VARIANTS)

    def _second(self, source: str | Colour) -> Image.Image:
        if not isinstance(source, str):
            return Image.new("RGB", self.image.size, source)
        if source in self._layers:
            return self._layers[source]
        return _texture(source, self._variant if source in load("textures")["random"] else 0)


@cache
def _texture(name: str, variant: int) -> Image.Image:
    steps = (load("textures")["random"] | load("textures")["fixed"])[name]
    return Canvas(Image.new("RGB", (PIXELS, PIXELS)), Random(variant)).run(steps)
