"""The canvas of places, skies and textures: a pen that draws on an image at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from random import Random

from PIL import Image, ImageDraw

from unprompt_painter.data import Colour
from unprompt_painter.draw.steps import Paint, Step, run

SIDE = 256
"""Width and height of a scene's canvas in pixels: twice the image's, against jagged edges."""


class Canvas:
    """Draws in the pixels of an image, with colours that may be transparent."""

    def __init__(self, image: Image.Image, rng: Random) -> None:
        """Draws on ``image`` in place; ``rng`` is the source of all randomness."""
        self.image = image
        self.rng = rng
        self.pen = ImageDraw.Draw(image, "RGBA")

    def run(self, steps: Sequence[Step], **names: float) -> None:
        """Carries out the steps of a drawing with some names bound."""
        run(steps, self, names, self.rng)

    def draw(self, operation: str, paint: Paint, numbers: Sequence[float]) -> None:
        """Draws one shape."""
        _OPERATIONS[operation](self, paint, *numbers)


def _fade(canvas: Canvas, paint: Paint) -> None:
    """Lets the canvas run into a colour towards the bottom."""
    canvas.image.paste(paint, mask=_ramp(canvas.image.size))


@cache
def _ramp(size: tuple[int, int]) -> Image.Image:
    return Image.linear_gradient("L").resize(size)


def _oval(canvas: Canvas, paint: Paint, x: float, y: float, rx: float, ry: float = 0.0) -> None:
    canvas.pen.ellipse(_box(x, y, rx, ry or rx), paint)


def _ring(canvas: Canvas, paint: Paint, width: float, x: float, y: float, r: float) -> None:
    canvas.pen.ellipse(_box(x, y, r, r), None, paint, int(width))


def _arc(canvas: Canvas, paint: Paint, width: float, *numbers: float) -> None:
    x, y, rx, ry, start, end = numbers
    canvas.pen.arc(_box(x, y, rx, ry), start, end, paint, int(width))


def _pie(canvas: Canvas, paint: Paint, *numbers: float) -> None:
    x, y, rx, ry, start, end = numbers
    canvas.pen.pieslice(_box(x, y, rx, ry), start, end, paint)


def _box(x: float, y: float, rx: float, ry: float) -> tuple[float, float, float, float]:
    return x - rx, y - ry, x + rx, y + ry


def _windows(canvas: Canvas, paint: Paint, x0: float, y0: float, x1: float, y1: float) -> None:
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


# Every entry takes the canvas, the paint and the step's numbers.
_OPERATIONS: dict[str, Callable[..., None]] = {
    "poly": lambda canvas, paint, *xy: canvas.pen.polygon(xy, paint),
    "rect": lambda canvas, paint, *box: canvas.pen.rectangle(box, paint),
    "pill": lambda canvas, paint, r, *box: canvas.pen.rounded_rectangle(box, r, paint),
    "frame": lambda canvas, paint, width, *box: canvas.pen.rectangle(box, None, paint, int(width)),
    "line": lambda canvas, paint, width, *xy: canvas.pen.line(xy, paint, int(width)),
    "oval": _oval,
    "ring": _ring,
    "arc": _arc,
    "pie": _pie,
    "fade": _fade,
    "windows": _windows,
    "aurora": _aurora,
}
