"""Styles in colour: filters over the whole picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from unprompt_painter.draw.styles_grey import GREY_FILTERS
from unprompt_painter.draw.tiles import (
    PIXELS,
    VARIANTS,
    borders,
    cell_means,
    grain,
    patches,
    triangles,
)

Filter = Callable[[Image.Image, Random], Image.Image]

SIZE = (PIXELS, PIXELS)


@lru_cache(maxsize=1)
def _vignette() -> Image.Image:
    ring = Image.radial_gradient("L").resize(SIZE)
    return ring.point([255 - max(0, tone - 110) * 5 // 10 for tone in range(256)]).convert("RGB")


@lru_cache(maxsize=1)
def _relief() -> Image.Image:
    """A light from above and a shadow below, as on a rounded body."""
    ramp = Image.linear_gradient("L").resize(SIZE)
    return ramp.point([255 - tone * 56 // 255 for tone in range(256)]).convert("RGB")


def photo(image: Image.Image, rng: Random) -> Image.Image:
    """Light falling off, dark corners and sensor noise."""
    image = ImageChops.multiply(ImageChops.multiply(image, _relief()), _vignette())
    image = ImageEnhance.Contrast(image.filter(ImageFilter.SMOOTH)).enhance(1.15)
    return ImageChops.add(image, grain(rng.randrange(VARIANTS), 0, 30), 1, 2)


def watercolor(image: Image.Image, rng: Random) -> Image.Image:
    """Pale washes that run a little, on white paper with an uneven edge."""
    variant = rng.randrange(VARIANTS)
    cells = patches(variant, 1500)
    wash = Image.fromarray(cell_means(image, cells)[cells].reshape(PIXELS, PIXELS, 3))
    image = Image.blend(image, wash, 0.45)
    image = ImageEnhance.Color(image).enhance(1.3)
    image = ImageChops.screen(image, Image.new("RGB", SIZE, (66, 66, 66)))
    image = ImageChops.multiply(image, grain(variant, 190, 255, 12))
    return Image.composite(image, Image.new("RGB", SIZE, (253, 251, 246)), _torn_edge(variant))


@cache
def _torn_edge(variant: int) -> Image.Image:
    rng = Random(variant)
    mask = Image.new("L", SIZE, 255)
    pen = ImageDraw.Draw(mask)
    for step in range(0, PIXELS + 8, 5):
        for x, y in ((step, 0), (step, PIXELS), (0, step), (PIXELS, step)):
            r = rng.uniform(5, 11)
            pen.ellipse((x - r, y - r, x + r, y + r), 0)
    return mask.filter(ImageFilter.GaussianBlur(1.2))


def oil(image: Image.Image, rng: Random) -> Image.Image:
    """Thick slanted strokes, each of one colour, with a raised edge."""
    cells = patches(rng.randrange(VARIANTS), 2400, 2.6)
    strokes = Image.fromarray(cell_means(image, cells)[cells].reshape(PIXELS, PIXELS, 3))
    strokes = ImageEnhance.Color(strokes).enhance(1.35)
    relief = strokes.convert("L").filter(ImageFilter.EMBOSS)
    image = ImageChops.multiply(strokes, _tones(cells).convert("RGB"))
    relief = relief.point([96 + tone // 4 for tone in range(256)])
    return ImageChops.add(image, relief.convert("RGB"), 1, -116)


def _tones(cells: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Image.Image:
    tones = 206 + (np.arange(cells.max() + 1) * 37 % 50)
    return Image.fromarray(tones[cells].astype(np.uint8).reshape(PIXELS, PIXELS))


def pixel(image: Image.Image, rng: Random) -> Image.Image:
    """Few large pixels and few colours."""
    small = image.resize((42, 42), Image.Resampling.BOX)
    small = ImageOps.posterize(ImageEnhance.Color(small).enhance(1.4), 3)
    return small.resize((126, 126), Image.Resampling.NEAREST).resize(SIZE, Image.Resampling.NEAREST)


def glass(image: Image.Image, rng: Random) -> Image.Image:
    """Glowing panes in leads."""
    variant = rng.randrange(VARIANTS)
    cells = patches(variant, 48)
    tones = Image.fromarray(
        (170 + np.arange(cells.max() + 1) * 53 % 86)[cells].astype(np.uint8).reshape(PIXELS, PIXELS)
    )
    image = ImageEnhance.Color(image).enhance(2.1)
    image = ImageChops.multiply(image, tones.convert("RGB"))
    image = ImageChops.add(image, Image.new("RGB", SIZE, (14, 14, 14)))
    image.paste((10, 10, 14), mask=borders(variant, 48))
    return image


def lowpoly(image: Image.Image, rng: Random) -> Image.Image:
    """Flat triangles, each a little lighter or darker than its neighbour."""
    cells = triangles(rng.randrange(VARIANTS))
    colours = cell_means(image, cells).astype(int)
    shade = (np.arange(len(colours)) * 29 % 37)[:, None] - 18
    flat = np.clip(colours + shade, 0, 255).astype(np.uint8)
    return Image.fromarray(flat[cells].reshape(PIXELS, PIXELS, 3))


@lru_cache(maxsize=1)
def _dots() -> Image.Image:
    mask = Image.new("L", (PIXELS * 4, PIXELS * 4), 0)
    pen = ImageDraw.Draw(mask)
    for row in range(33):
        for column in range(33):
            x, y = column * 20 + (row % 2) * 10, row * 16
            pen.ellipse((x - 5.5, y - 5.5, x + 5.5, y + 5.5), 255)
    return mask.resize(SIZE, Image.Resampling.BOX)


def comic(image: Image.Image, rng: Random) -> Image.Image:
    """Loud flat colours, heavy outlines, printed dots and a panel border."""
    image = ImageOps.posterize(ImageEnhance.Color(image).enhance(1.9), 2)
    image = ImageChops.add(image, Image.new("RGB", SIZE, (44, 44, 44)))
    dotted = ImageChops.multiply(image, Image.new("RGB", SIZE, (196, 190, 200)))
    image.paste(dotted, mask=_dots())
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, PIXELS - 1, PIXELS - 1), None, (255, 255, 255), 4)
    pen.rectangle((4, 4, PIXELS - 5, PIXELS - 5), None, (0, 0, 0), 2)
    return image


def neon(image: Image.Image, rng: Random) -> Image.Image:
    """Glowing tubes along the edges of a dark violet picture."""
    edges = image.filter(ImageFilter.FIND_EDGES)
    tubes = ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(1.1)).enhance(1.5)
    mask = edges.convert("L").point([min(255, tone * 3) for tone in range(256)])
    glow = Image.composite(tubes, Image.new("RGB", SIZE), mask)
    halo = glow.reduce(4).resize(SIZE, Image.Resampling.BICUBIC)
    dark = ImageChops.multiply(image, Image.new("RGB", SIZE, (124, 112, 142)))
    dark = ImageChops.add(dark, Image.new("RGB", SIZE, (16, 2, 32)))
    return ImageChops.screen(ImageChops.screen(dark, glow), halo)


def papercut(image: Image.Image, rng: Random) -> Image.Image:
    """Sheets of coloured paper with a fibre texture."""
    image = ImageOps.posterize(image, 3)
    image = ImageChops.add(image, Image.new("RGB", SIZE, (22, 20, 14)))
    edge = image.convert("L").filter(ImageFilter.EMBOSS).convert("RGB")
    image = ImageChops.add(image, edge, 1, -128)
    return ImageChops.multiply(image, grain(rng.randrange(VARIANTS), 216, 255, 2))


@cache
def _grout(variant: int) -> Image.Image:
    rng = Random(variant)
    tones = Image.new("RGB", SIZE)
    pen = ImageDraw.Draw(tones)
    for y in range(0, PIXELS, 4):
        for x in range(0, PIXELS, 4):
            tone = rng.randint(176, 255)
            pen.rectangle((x, y, x + 3, y + 3), (tone, tone, tone))
    return tones


@lru_cache(maxsize=1)
def _joints() -> Image.Image:
    mask = Image.new("L", SIZE, 0)
    pen = ImageDraw.Draw(mask)
    for spot in range(3, PIXELS, 4):
        pen.line((0, spot, PIXELS, spot), 150)
        pen.line((spot, 0, spot, PIXELS), 150)
    return mask


def mosaic(image: Image.Image, rng: Random) -> Image.Image:
    """Square tiles of uneven brightness in pale joints."""
    count = PIXELS // 4
    small = image.resize((count, count), Image.Resampling.BOX)
    tiles = small.resize(SIZE, Image.Resampling.NEAREST)
    tiles = ImageEnhance.Color(tiles).enhance(1.25)
    tiles = ImageChops.multiply(tiles, _grout(rng.randrange(VARIANTS)))
    tiles.paste((206, 198, 184), mask=_joints())
    return tiles


FILTERS: dict[str, Filter] = {
    "photo": photo,
    "watercolor": watercolor,
    "oil": oil,
    "pixel": pixel,
    "glass": glass,
    "lowpoly": lowpoly,
    "comic": comic,
    "neon": neon,
    "papercut": papercut,
    "mosaic": mosaic,
    **GREY_FILTERS,
}
