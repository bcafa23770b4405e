"""Places without a sky (and the plain backdrop): each draws a whole canvas."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw

from unprompt_painter.draw.canvas import SIDE
from unprompt_painter.draw.sky import gradient

Backdrop = Callable[[Random], Image.Image]


def _plain(rng: Random) -> Image.Image:
    tone = rng.randint(206, 226)
    image = gradient((tone, tone, tone + 6), (tone - 26, tone - 26, tone - 20))
    ImageDraw.Draw(image).rectangle((0, SIDE * 0.8, SIDE, SIDE), (tone - 44, tone - 44, tone - 38))
    return image


def _space(rng: Random) -> Image.Image:
    image = gradient((10, 6, 30), (38, 14, 66))
    pen = ImageDraw.Draw(image)
    for _ in range(70):
        x, y, r = rng.uniform(0, SIDE), rng.uniform(0, SIDE), rng.choice((0.8, 1.4, 2.2))
        pen.ellipse((x - r, y - r, x + r, y + r), (255, 255, 240))
    side = rng.choice((0, 1))
    x, y = (40, 216)[side] + rng.uniform(-10, 10), rng.uniform(36, 56)
    pen.ellipse((x - 30, y - 30, x + 30, y + 30), (230, 150, 90))
    pen.ellipse((x - 28, y - 6, x + 28, y + 4), (200, 110, 70))
    pen.arc((x - 52, y - 16, x + 52, y + 16), -20, 200, (250, 220, 160), 6)
    x = (226, 30)[side]
    pen.ellipse((x - 22, 196, x + 22, 240), (90, 170, 230))
    return image


def _underwater(rng: Random) -> Image.Image:
    image = gradient((30, 160, 210), (4, 50, 110))
    pen = ImageDraw.Draw(image, "RGBA")
    for step in range(4):
        x = step * 70 + rng.uniform(-20, 20)
        pen.polygon((x, 0, x + 26, 0, x - 20, SIDE, x - 76, SIDE), (200, 245, 255, 40))
    pen.ellipse((-40, 222, 300, 300), (200, 180, 130, 255))
    for x, paint in ((18, (240, 90, 110)), (236, (250, 140, 60)), (66, (190, 90, 200))):
        x += int(rng.uniform(-8, 8))
        for dx in (-14, 0, 14):
            pen.line((x, 244, x + dx, 200 - 10 * (dx == 0)), (*paint, 255), 8)
            pen.ellipse((x + dx - 6, 192 - 10 * (dx == 0), x + dx + 6, 204), (*paint, 255))
    for x in (rng.uniform(190, 206), rng.uniform(90, 120)):
        points = [(x + 8 * math.sin(y / 14), y) for y in range(130, 250, 8)]
        pen.line(points, (30, 140, 80, 255), 8)
    for _ in range(14):
        x, y, r = rng.uniform(0, SIDE), rng.uniform(0, 200), rng.uniform(3, 7)
        pen.ellipse((x - r, y - r, x + r, y + r), None, (220, 250, 255, 255), 2)
    return image


def _room(rng: Random) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), (232, 212, 180))
    pen = ImageDraw.Draw(image)
    for x in range(0, SIDE, 32):
        pen.rectangle((x, 0, x + 14, 190), (224, 200, 164))
    pen.rectangle((0, 184, SIDE, SIDE), (166, 112, 70))
    pen.rectangle((0, 180, SIDE, 188), (250, 244, 230))
    for y in (204, 226):
        pen.line((0, y, SIDE, y), (136, 88, 52), 3)
    side = rng.choice((0, 1))
    x = (22, 150)[side] + rng.randint(-6, 6)
    pen.rectangle((x, 30, x + 84, 116), (250, 250, 246))
    for dx in (7, 45):
        pen.rectangle((x + dx, 37, x + dx + 32, 70), (150, 210, 250))
        pen.rectangle((x + dx, 76, x + dx + 32, 109), (150, 210, 250))
    pen.polygon((x - 14, 22, x + 14, 22, x - 6, 130, x - 18, 130), (190, 70, 70))
    pen.polygon((x + 98, 22, x + 70, 22, x + 90, 130, x + 102, 130), (190, 70, 70))
    x = (176, 30)[side]
    pen.rectangle((x, 44, x + 52, 90), (120, 80, 46))
    pen.rectangle((x + 6, 50, x + 46, 84), (110, 160, 120))
    pen.ellipse((30, 212, 226, 252), (80, 120, 150))
    return image


def _cave(rng: Random) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), (46, 40, 46))
    pen = ImageDraw.Draw(image)
    x = SIDE / 2 + rng.uniform(-20, 20)
    for grow, paint in (
        (20, (66, 58, 62)),
        (0, (96, 88, 92)),
        (-26, (150, 142, 140)),
        (-50, (196, 190, 180)),
    ):
        pen.ellipse((x - 90 - grow, 50 - grow, x + 90 + grow, 230 + grow), paint)
    pen.rectangle((0, 200, SIDE, SIDE), (76, 66, 66))
    for step in range(9):
        spot, drop = step * 32 + rng.uniform(-8, 8), rng.uniform(36, 84)
        pen.polygon((spot - 15, 0, spot + 15, 0, spot, drop), (30, 26, 32))
    for step in (0, 1, 7, 8):
        spot = step * 32 + rng.uniform(-8, 8)
        pen.polygon((spot - 16, SIDE, spot + 16, SIDE, spot, rng.uniform(160, 200)), (30, 26, 32))
    return image


def _stage(rng: Random) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), (60, 14, 22))
    pen = ImageDraw.Draw(image, "RGBA")
    shift = rng.randint(0, 15)
    for x in range(-shift, SIDE, 24):
        pen.rectangle((x, 0, x + 13, 200), (150, 22, 36, 255))
    pen.polygon((104, 0, 152, 0, 236, 224, 20, 224), (255, 240, 170, 110))
    pen.rectangle((0, 196, SIDE, SIDE), (150, 100, 56, 255))
    pen.ellipse((24, 196, 232, 250), (250, 226, 150, 255))
    for x in range(0, SIDE, 32):
        pen.pieslice((x - 18, -26, x + 18, 30), 0, 180, (196, 34, 46, 255))
        pen.arc((x - 18, -26, x + 18, 30), 0, 180, (250, 200, 70, 255), 4)
    for side in (0, 1):
        x = side * SIDE
        pen.polygon(
            (
                x,
                0,
                x + (30 - 60 * side),
                0,
                x + (16 - 32 * side),
                110,
                x + (34 - 68 * side),
                216,
                x,
                216,
            ),
            (196, 34, 46, 255),
        )
    return image


def _library(rng: Random) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), (70, 42, 24))
    pen = ImageDraw.Draw(image)
    tones = (
        (170, 60, 50),
        (60, 100, 80),
        (70, 80, 140),
        (200, 160, 80),
        (130, 70, 110),
        (190, 180, 150),
    )
    for shelf in range(4):
        base = 52 + shelf * 54
        pen.rectangle((0, base, SIDE, base + 8), (124, 78, 44))
        x = 4.0
        while x < SIDE - 6:
            width, high = rng.uniform(9, 16), rng.uniform(32, 44)
            pen.rectangle((x, base - high, x + width - 2, base), rng.choice(tones))
            x += width
    for x in (0, 84, 168, 250):
        pen.rectangle((x, 0, x + 7, 222), (124, 78, 44))
    pen.rectangle((0, 222, SIDE, SIDE), (110, 36, 40))
    return image


INDOORS: dict[str | None, Backdrop] = {
    None: _plain,
    "space": _space,
    "underwater": _underwater,
    "room": _room,
    "cave": _cave,
    "stage": _stage,
    "library": _library,
}
