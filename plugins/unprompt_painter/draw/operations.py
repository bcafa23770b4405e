"""What single steps do on a canvas: drawing, adjusting an image and mixing two."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from unprompt_painter.data import Colour
from unprompt_painter.draw.patterns import borders, grain, means, tones

Pen = ImageDraw.ImageDraw


def _box(x: float, y: float, rx: float, ry: float = 0.0) -> tuple[float, float, float, float]:
    """Returns the box around an ellipse."""
    ry = ry or rx
    return x - rx, y - ry, x + rx, y + ry


def _windows(pen: Pen, paint: Colour, x0: float, y0: float, x1: float, y1: float) -> None:
    """Draws the lit windows of a house."""
    for y in range(int(y0) + 8, int(y1) - 10, 17):
        for x in range(int(x0) + 5, int(x1) - 10, 12):
            pen.rectangle((x, y, x + 6, y + 8), paint)


def _veil(pen: Pen, paint: Colour, top: float, bottom: float, phase: float) -> None:
    """Draws a band of light across the canvas, in waves that begin at a phase in radians."""
    for x in range(0, pen.im.size[0], 8):
        wave = 20 * math.sin(phase + x / 38)
        pen.rectangle((x, top + wave, x + 7, bottom + wave), paint)


DRAWING: dict[str, Callable[..., None]] = {
    "poly": lambda pen, paint, *xy: pen.polygon(xy, paint),
    "rect": lambda pen, paint, *box: pen.rectangle(box, paint),
    "pill": lambda pen, paint, r, *box: pen.rounded_rectangle(box, r, paint),
    "frame": lambda pen, paint, width, *box: pen.rectangle(box, None, paint, int(width)),
    "line": lambda pen, paint, width, *xy: pen.line(xy, paint, int(width)),
    "oval": lambda pen, paint, *oval: pen.ellipse(_box(*oval), paint),
    "ring": lambda pen, paint, width, *oval: pen.ellipse(_box(*oval), None, paint, int(width)),
    "pie": lambda pen, paint, *pie: pen.pieslice(_box(*pie[:4]), *pie[4:], paint),
    "arc": lambda pen, paint, width, *arc: pen.arc(_box(*arc[:4]), *arc[4:], paint, int(width)),
    "windows": _windows,
    "veil": _veil,
}
"""Functions of a pen, a colour, the width of a stroke and coordinates in pixels."""


def _resize(image: Image.Image, side: float, method: str) -> Image.Image:
    return image.resize((int(side), int(side)), Image.Resampling[method.upper()])


def _edges(image: Image.Image) -> Image.Image:
    # The filter leaves the outermost pixels as they were: no edge there.
    return ImageOps.expand(ImageOps.crop(image.filter(ImageFilter.FIND_EDGES), 1), 1)


@cache
def _levels(*knots: float) -> list[int]:
    """Returns the tone for each tone, along straight lines between knots ``from, to``."""
    # A whole number must not fall to the one below it by a rounding error.
    return [int(tone + 1e-9) for tone in np.interp(range(256), knots[::2], knots[1::2])]


@cache
def _gamma(power: float, low: float, high: float) -> list[int]:
    return [round(low + (tone / 255) ** power * (high - low)) for tone in range(256)]


ADJUSTMENTS: dict[str, Callable[..., Image.Image]] = {
    "blank": lambda image, side, paint: Image.new("RGB", (int(side), int(side)), paint),
    "linear": lambda image: Image.linear_gradient("L").resize(image.size),
    "radial": lambda image: Image.radial_gradient("L").resize(image.size),
    "grey": lambda image: image.convert("L"),
    "coloured": lambda image: image.convert("RGB"),
    "invert": ImageOps.invert,
    "smooth": lambda image: image.filter(ImageFilter.SMOOTH),
    "blur": lambda image, radius: image.filter(ImageFilter.GaussianBlur(radius)),
    "emboss": lambda image: image.filter(ImageFilter.EMBOSS),
    "outlines": lambda image: image.filter(ImageFilter.FIND_EDGES),
    "edges": _edges,
    "saturate": lambda image, factor: ImageEnhance.Color(image).enhance(factor),
    "brighten": lambda image, factor: ImageEnhance.Brightness(image).enhance(factor),
    "contrast": lambda image, factor: ImageEnhance.Contrast(image).enhance(factor),
    "autocontrast": ImageOps.autocontrast,
    "levels": lambda image, *knots: image.point(_levels(*knots)),
    "gamma": lambda image, *numbers: image.point(_gamma(*numbers)),
    "posterize": lambda image, bits: ImageOps.posterize(image, int(bits)),
    "colorize": ImageOps.colorize,
    "means": means,
    "tones": lambda image, *numbers: tones(*numbers),
    "borders": lambda image, *numbers: borders(*numbers),
    "grain": lambda image, *numbers: grain(*numbers),
    "reduce": lambda image, factor: image.reduce(int(factor)),
    "resize": _resize,
}
"""Functions of an image and of the numbers, colours and words of a step."""


def _tint(image: Image.Image, under: Image.Image, light: Colour) -> Image.Image:
    """Multiplies an image by a colour wherever it is not what was there before."""
    if light == (255, 255, 255):
        return image
    lit = ImageChops.multiply(image, Image.new("RGB", image.size, light))
    changed = ImageChops.difference(image, under).convert("L").point([0] + [255] * 255)
    return Image.composite(lit, under, changed)


MIXES: dict[str, Callable[..., Image.Image]] = {
    "multiply": ImageChops.multiply,
    "screen": ImageChops.screen,
    "lighten": ImageChops.lighter,
    "blend": Image.blend,
    "tint": _tint,
    "add": lambda image, second, offset: ImageChops.add(image, second, 1, int(offset)),
    "subtract": lambda image, second, offset: ImageChops.subtract(image, second, 1, int(offset)),
}
"""Functions of an image, a second one and the numbers and colours of a step."""
