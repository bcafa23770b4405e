"""What the steps of a filter do to an image: adjustments of one and mixes of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from unprompt_painter.data import colour
from unprompt_painter.draw.patterns import PIXELS


def _resize(image: Image.Image, side: str, method: str) -> Image.Image:
    return image.resize((int(side), int(side)), Image.Resampling[method.upper()])


def _gradient(image: Image.Image, kind: str) -> Image.Image:
    """Returns a grey ramp: ``linear``, from above, or ``radial``, from the middle."""
    ramp = Image.linear_gradient("L") if kind == "linear" else Image.radial_gradient("L")
    return ramp.resize((PIXELS, PIXELS))


def _blank(image: Image.Image, side: str, paint: str) -> Image.Image:
    return Image.new("RGB", (int(side), int(side)), colour(paint))


def _edges(grey: Image.Image, gain: str) -> Image.Image:
    """Returns edges as ink: mode L, 255 on an edge."""
    edges = grey.filter(ImageFilter.FIND_EDGES)
    # The filter leaves the outermost pixels as they were: no edge there.
    ImageDraw.Draw(edges).rectangle((0, 0, PIXELS - 1, PIXELS - 1), None, 0)
    return edges.point([min(255, round(max(0, tone - 10) * float(gain))) for tone in range(256)])


def _gamma(grey: Image.Image, power: str, low: str, high: str) -> Image.Image:
    base, span = float(low), float(high) - float(low)
    return grey.point([round(base + (tone / 255) ** float(power) * span) for tone in range(256)])


@cache
def _table(*knots: str) -> list[int]:
    """Returns the tone for each tone, along straight lines between knots ``from:to``."""
    starts, ends = zip(*(map(float, knot.split(":")) for knot in knots), strict=True)
    # A whole number must not fall to the one below it by a rounding error.
    return [int(tone + 1e-9) for tone in np.interp(range(256), starts, ends)]


ADJUSTMENTS: dict[str, Callable[..., Image.Image]] = {
    "blank": _blank,
    "gradient": _gradient,
    "grey": lambda image: image.convert("L"),
    "coloured": lambda image: image.convert("RGB"),
    "invert": ImageOps.invert,
    "smooth": lambda image: image.filter(ImageFilter.SMOOTH),
    "blur": lambda image, radius: image.filter(ImageFilter.GaussianBlur(float(radius))),
    "emboss": lambda image: image.filter(ImageFilter.EMBOSS),
    "outlines": lambda image: image.filter(ImageFilter.FIND_EDGES),
    "edges": _edges,
    "saturate": lambda image, factor: ImageEnhance.Color(image).enhance(float(factor)),
    "brighten": lambda image, factor: ImageEnhance.Brightness(image).enhance(float(factor)),
    "contrast": lambda image, factor: ImageEnhance.Contrast(image).enhance(float(factor)),
    "autocontrast": lambda image, cutoff: ImageOps.autocontrast(image, float(cutoff)),
    "levels": lambda image, *knots: image.point(_table(*knots)),
    "gamma": _gamma,
    "posterize": lambda image, bits: ImageOps.posterize(image, int(bits)),
    "colorize": lambda grey, *colours: ImageOps.colorize(grey, *map(colour, colours)),
    "reduce": lambda image, factor: image.reduce(int(factor)),
    "resize": _resize,
}


@dataclass(frozen=True)
class Mix:
    """A function of two images and some amounts, which a step names before the second image."""

    function: Callable[..., Image.Image]
    amounts: int = 0


MIXES: dict[str, Mix] = {
    "multiply": Mix(ImageChops.multiply),
    "screen": Mix(ImageChops.screen),
    "lighten": Mix(ImageChops.lighter),
    "blend": Mix(Image.blend, amounts=1),
    "add": Mix(lambda image, second, offset: ImageChops.add(image, second, 1, int(offset)), 1),
    "subtract": Mix(
        lambda image, second, offset: ImageChops.subtract(image, second, 1, int(offset)), 1
    ),
}
