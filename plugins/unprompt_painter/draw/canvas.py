"""The pen of places, skies and textures: it draws in the pixels of an image at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from unprompt_painter.data import Colour
from unprompt_painter.draw.steps import Step, run

SIDE = 256
"""Width and height of a scene's canvas in pixels: twice the image's, against jagged edges."""


class Canvas:
    """Draws on an image, in place; colours may be transparent."""

    def __init__(self, image: Image.Image, rng: Random) -> None:
        """Starts from an RGB image; ``rng`` is the source of all randomness."""
        self.rng = rng
        self.show(image)

    def show(self, image: Image.Image) -> None:
        """Goes on with another image."""
        self.image = image
        self.pen = ImageDraw.Draw(image, "RGBA" if image.mode == "RGB" else None)

    def run(self, steps: Sequence[Step], **names: Any) -> Image.Image:
        """Carries out steps with some names bound and returns the image."""
        run(steps, self.draw, names, self.rng)
        return self.image

    def draw(self, operation: str, *values: Any) -> None:
        """Carries out one operation of ``DRAWING``."""
        DRAWING[operation](self, *values)


def _fade(canvas: Canvas, paint: Colour) -> None:
    """Lets the image run into a colour towards the bottom."""
    canvas.image.paste(paint, mask=_ramp(canvas.image.size))


@cache
def _ramp(size: tuple[int, int]) -> Image.Image:
    return Image.linear_gradient("L").resize(size)


def _box(x: float, y: float, rx: float, ry: float = 0.0) -> tuple[float, float, float, float]:
    """Returns the box around an ellipse."""
    ry = ry or rx
    return x - rx, y - ry, x + rx, y + ry


def _windows(canvas: Canvas, paint: Colour, x0: float, y0: float, x1: float, y1: float) -> None:
    """Draws the lit windows of a house."""
    for y in range(int(y0) + 8, int(y1) - 10, 17):
        for x in range(int(x0) + 5, int(x1) - 10, 12):
            canvas.pen.rectangle((x, y, x + 6, y + 8), paint)


def _aurora(canvas: Canvas, paint: Colour, middle: float, phase: float) -> None:
    """Draws a waving veil with a bright lower edge."""
    for x in range(0, SIDE, 8):
        y = middle + 20 * math.sin(phase + x / 38)
        canvas.pen.rectangle((x, y - 34, x + 7, y), (*paint, 70))
        canvas.pen.rectangle((x, y - 10, x + 7, y + 12), (*paint, 150))


DRAWING: dict[str, Callable[..., None]] = {
    "poly": lambda canvas, paint, *xy: canvas.pen.polygon(xy, paint),
    "rect": lambda canvas, paint, *box: canvas.pen.rectangle(box, paint),
    "pill": lambda canvas, paint, r, *box: canvas.pen.rounded_rectangle(box, r, paint),
    "frame": lambda canvas, paint, width, *box: canvas.pen.rectangle(box, None, paint, int(width)),
    "line": lambda canvas, paint, width, *xy: canvas.pen.line(xy, paint, int(width)),
    "oval": lambda canvas, paint, *oval: canvas.pen.ellipse(_box(*oval), paint),
    "ring": lambda canvas, paint, width, *oval: canvas.pen.ellipse(
        _box(*oval), None, paint, int(width)
    ),
    "pie": lambda canvas, paint, *oval: canvas.pen.pieslice(_box(*oval[:4]), *oval[4:], paint),
    "arc": lambda canvas, paint, width, *oval: canvas.pen.arc(
        _box(*oval[:4]), *oval[4:], paint, int(width)
    ),
    "fade": _fade,
    "windows": _windows,
    "aurora": _aurora,
}
"""The operations, each with its colour, a width if it is a stroke, and coordinates in pixels."""
