"""Styles without colour: filters over the whole picture, drawn in one paint."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from unprompt_painter.draw.tiles import PIXELS, VARIANTS, grain

SIZE = (PIXELS, PIXELS)


def _edges(grey: Image.Image, gain: float) -> Image.Image:
    """Returns edges as ink: mode L, 255 on an edge."""
    found = grey.filter(ImageFilter.FIND_EDGES)
    # The filter leaves the outermost pixels as they were: no edge there.
    ImageDraw.Draw(found).rectangle((0, 0, PIXELS - 1, PIXELS - 1), None, 0)
    return found.point([min(255, round(max(0, tone - 10) * gain)) for tone in range(256)])


@lru_cache(maxsize=1)
def _hatching() -> Image.Image:
    mask = Image.new("L", SIZE, 255)
    pen = ImageDraw.Draw(mask)
    for start in range(-PIXELS, PIXELS * 2, 4):
        pen.line((start, 0, start - PIXELS, PIXELS), 130)
    return mask


def pencil(image: Image.Image, rng: Random) -> Image.Image:
    """Soft grey lines and slanted hatching on paper."""
    grey = image.convert("L")
    lines = ImageOps.invert(_edges(grey, 2.4)).point(
        [30 + tone * 225 // 255 for tone in range(256)]
    )
    shade = grey.point([90 if tone < 90 else 170 if tone < 160 else 255 for tone in range(256)])
    shade = ImageChops.lighter(shade, _hatching())
    paper = ImageChops.multiply(lines, shade)
    tone = ImageChops.multiply(paper, grain(rng.randrange(VARIANTS), 222, 255).convert("L"))
    return ImageOps.colorize(tone, (40, 40, 46), (252, 251, 247))


def ink(image: Image.Image, rng: Random) -> Image.Image:
    """Black lines on white."""
    lines = _edges(image.convert("L"), 3.2)
    return (
        ImageOps.invert(lines)
        .point([0 if tone < 110 else 255 for tone in range(256)])
        .convert("RGB")
    )


def charcoal(image: Image.Image, rng: Random) -> Image.Image:
    """Smudged blacks with a coarse grain on warm paper."""
    grey = ImageOps.autocontrast(image.convert("L").filter(ImageFilter.SMOOTH))
    variant = rng.randrange(VARIANTS)
    grey = grey.point([round(60 + (tone / 255) ** 1.15 * 195) for tone in range(256)])
    rough = ImageChops.subtract(grey, grain(variant, 0, 96).convert("L"), 1, 26)
    lines = ImageOps.invert(_edges(image.convert("L"), 1.6)).filter(ImageFilter.SMOOTH)
    return ImageOps.colorize(ImageChops.multiply(rough, lines), (14, 13, 14), (226, 216, 198))


def blueprint(image: Image.Image, rng: Random) -> Image.Image:
    """White lines and a fine grid on blue."""
    lines = _edges(image.convert("L"), 2.4)
    sheet = ImageOps.colorize(lines, (20, 62, 150), (240, 248, 255))
    pen = ImageDraw.Draw(sheet)
    offset = rng.randrange(12)
    for spot in range(offset, PIXELS, 12):
        pen.line((spot, 0, spot, PIXELS), (70, 112, 190))
        pen.line((0, spot, PIXELS, spot), (70, 112, 190))
    sheet.paste((240, 248, 255), mask=lines)
    return sheet


@lru_cache(maxsize=1)
def _faded() -> Image.Image:
    ring = Image.radial_gradient("L").resize(SIZE)
    return ring.point(
        [255 - max(0, tone - 100) * 255 // 170 if tone < 250 else 20 for tone in range(256)]
    )


def sepia(image: Image.Image, rng: Random) -> Image.Image:
    """Brown tones, scratches and faded corners."""
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1)
    grey = ImageChops.multiply(grey, grain(rng.randrange(VARIANTS), 196, 255).convert("L"))
    print_ = ImageOps.colorize(grey, (52, 30, 14), (246, 224, 178), (160, 116, 70))
    pen = ImageDraw.Draw(print_)
    for _ in range(4):
        x = rng.uniform(0, PIXELS)
        pen.line((x, 0, x + rng.uniform(-4, 4), PIXELS), (246, 232, 200))
    return Image.composite(print_, Image.new("RGB", SIZE, (232, 208, 160)), _faded())


GREY_FILTERS: dict[str, Callable[[Image.Image, Random], Image.Image]] = {
    "pencil": pencil,
    "ink": ink,
    "charcoal": charcoal,
    "blueprint": blueprint,
    "sepia": sepia,
}
