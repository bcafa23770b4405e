"""The canvas that places, skies, textures and filters work on, step by step."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from unprompt_painter.data import Colour, load
from unprompt_painter.draw.operations import ADJUSTMENTS, DRAWING, MIXES
from unprompt_painter.draw.patterns import PIXELS
from unprompt_painter.draw.steps import Steps, run

SIDE = 256
"""Width and height of a scene's canvas in pixels: twice the image's, against jagged edges."""


class Canvas:
    """An image that steps change.

    Beside the operations of ``DRAWING``, ``ADJUSTMENTS`` and ``MIXES`` there are ``keep NAME``,
    which keeps the image as a layer, ``from NAME``, which returns to a layer (to the first image
    by the name ``image``), and ``paint A B``, which puts A wherever B is white. A and B and the
    second images of mixes are layers, colours or textures of ``textures.yaml``, these in the
    variant to which the name ``variant`` is bound.

    Attributes:
        image: The image as it is now. Shapes are drawn in its own pixels.
        pen: Draws on it.
        rng: Source of all randomness.
    """

    def __init__(self, image: Image.Image, rng: Random) -> None:
        """Starts from an RGB image."""
        self.rng = rng
        self._layers = {"image": image}
        self._names: dict[str, Any] = {}
        self._show(image)

    def run(self, steps: Steps, **names: Any) -> Image.Image:
        """Carries out steps with some names bound and returns the image."""
        self._names = names
        run(steps, self._draw, names, self.rng)
        return self.image

    def _draw(self, operation: str, *values: Any) -> None:
        if operation in DRAWING:
            see_through = len(values[0]) == 4
            pen = ImageDraw.Draw(self.image, "RGBA") if see_through else self.pen
            DRAWING[operation](pen, *values)
        elif operation in ADJUSTMENTS:
            self._show(ADJUSTMENTS[operation](self.image, *values))
        elif operation in MIXES:
            second = self._second(values[0])
            if second.mode != self.image.mode:
                second = second.convert(self.image.mode)
            self._show(MIXES[operation](self.image, second, *values[1:]))
        elif operation == "keep":
            self._layers[values[0]] = self.image.copy()
        elif operation == "from":
            self._show(self._layers[values[0]].copy())
        elif operation == "paint":
            source, mask = map(self._second, values)
            self._show(Image.composite(source, self.image, mask))
        else:
            raise ValueError(f"a canvas has no operation {operation!r}")

    def _show(self, image: Image.Image) -> None:
        self.image = image
        self.pen = ImageDraw.Draw(image)

    def _second(self, source: str | Colour) -> Image.Image:
        if not isinstance(source, str):
            return Image.new("RGB", self.image.size, source)
        if source in self._layers:
            return self._layers[source]
        return _texture(source, self._names.get("variant", 0))


@cache
def _texture(name: str, variant: int) -> Image.Image:
    canvas = Canvas(Image.new("RGB", (PIXELS, PIXELS)), Random(variant))
    return canvas.run(load("textures")[name], variant=variant)
