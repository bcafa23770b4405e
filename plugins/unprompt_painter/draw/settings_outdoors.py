"""Places under the sky: each draws its land on a canvas that already shows the sky."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from PIL import ImageDraw

from unprompt_painter.draw.canvas import SIDE, Colour

Draw = ImageDraw.ImageDraw
Scenery = Callable[[Draw, Random], None]


def _ground(pen: Draw, rng: Random, paint: Colour, share: float = 0.6) -> float:
    y = SIDE * share + rng.uniform(-8, 8)
    pen.rectangle((0, y, SIDE, SIDE), paint)
    return y


def _hill(pen: Draw, x: float, y: float, rx: float, ry: float, paint: Colour) -> None:
    pen.ellipse((x - rx, y - ry, x + rx, y + ry), paint)


def _pine(pen: Draw, x: float, base: float, height: float, paint: Colour) -> None:
    pen.rectangle((x - 4, base - 16, x + 4, base), (88, 60, 40))
    for step in range(3):
        top = base - height + step * height * 0.24
        half = height * (0.15 + 0.06 * step)
        pen.polygon((x, top, x + half, top + height * 0.36, x - half, top + height * 0.36), paint)


def _forest(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (92, 124, 66), 0.64)
    for step in range(9):
        _pine(pen, step * 32 + rng.uniform(-6, 6), y + 4, rng.uniform(120, 150), (38, 84, 58))
    for step in range(6):
        _pine(pen, step * 52 + rng.uniform(-10, 10), y + 18, rng.uniform(96, 122), (56, 116, 70))


def _desert(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (236, 196, 120), 0.62)
    x = rng.uniform(40, 210)
    pen.polygon((x - 70, y, x, y - 60, x + 60, y), (222, 176, 100))
    pen.polygon((x, y - 60, x + 60, y, x + 16, y), (190, 140, 76))
    _hill(pen, rng.uniform(-20, 80), y + 44, 150, 44, (246, 210, 140))
    _hill(pen, rng.uniform(170, 280), y + 66, 160, 50, (226, 180, 104))


def _beach(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (40, 150, 200), 0.5)
    for _ in range(9):
        x, wave = rng.uniform(0, SIDE), rng.uniform(y + 8, y + 40)
        pen.line((x, wave, x + 24, wave), (190, 234, 246), 3)
    pen.polygon(
        (0, y + 62, 90, y + 50, 180, y + 60, SIDE, y + 48, SIDE, SIDE, 0, SIDE), (250, 250, 250)
    )
    pen.polygon(
        (0, y + 70, 90, y + 58, 180, y + 68, SIDE, y + 56, SIDE, SIDE, 0, SIDE), (246, 222, 160)
    )
    side = rng.choice((-1, 1))
    x = 26 if side > 0 else SIDE - 26
    pen.line((x, SIDE - 40, x + side * 4, 110, x + side * 18, 54), (140, 96, 56), 10)
    top = x + side * 18
    for dx, dy in ((-48, 8), (-38, -20), (0, -34), (38, -20), (48, 10)):
        pen.polygon(
            (top, 48, top + dx * 0.6, 48 + dy - 12, top + dx, 62 + dy, top + dx * 0.5, 54 + dy),
            (40, 140, 70),
        )


def _mountains(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (120, 150, 96), 0.68)
    for x, high, half in ((20, 100, 90), (236, 110, 90), (128, 146, 100)):
        x += rng.randint(-14, 14)
        top = y - high
        pen.polygon((x - half, y, x, top, x + half, y), (112, 116, 136))
        pen.polygon((x, top, x + half, y, x + half * 0.2, y), (84, 88, 110))
        pen.polygon(
            (
                x,
                top,
                x + half * 0.36,
                top + high * 0.36,
                x + half * 0.14,
                top + high * 0.28,
                x,
                top + high * 0.4,
                x - half * 0.16,
                top + high * 0.28,
                x - half * 0.36,
                top + high * 0.36,
            ),
            (250, 252, 255),
        )


def _city(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (92, 94, 100), 0.72)
    x = -10.0
    while x < SIDE:
        width, high = rng.uniform(34, 52), rng.uniform(76, 140)
        tone = rng.choice(((120, 128, 150), (150, 120, 112), (96, 108, 132), (168, 150, 130)))
        pen.rectangle((x, y - high, x + width - 3, y), tone)
        for row in range(int(y - high) + 8, int(y) - 10, 17):
            for column in range(int(x) + 5, int(x + width) - 10, 12):
                pen.rectangle((column, row, column + 6, row + 8), (250, 230, 150))
        x += width
    pen.rectangle((0, y, SIDE, y + 12), (176, 176, 178))
    for step in range(5):
        pen.rectangle((step * 60, y + 40, step * 60 + 32, y + 46), (240, 236, 200))


def _snowfield(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (236, 244, 252), 0.58)
    for x in (rng.uniform(0, 60), rng.uniform(196, 256), rng.uniform(70, 100)):
        _pine(pen, x, y + 10, 74, (120, 150, 150))
        pen.polygon((x, y - 66, x + 12, y - 36, x - 12, y - 36), (250, 252, 255))
    _hill(pen, rng.uniform(0, 60), y + 30, 130, 30, (248, 251, 255))
    _hill(pen, rng.uniform(180, 256), y + 52, 140, 40, (214, 228, 244))


def _meadow(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (122, 196, 76), 0.56)
    _hill(pen, rng.uniform(20, 230), y + 20, 150, 44, (140, 208, 90))
    for _ in range(44):
        x, depth = rng.uniform(0, SIDE), rng.uniform(0.14, 1)
        spot, r = y + depth * (SIDE - y), 2.5 + 3.5 * depth
        paint = rng.choice(((250, 90, 120), (255, 230, 80), (255, 255, 255), (190, 110, 230)))
        pen.ellipse((x - r, spot - r, x + r, spot + r), paint)


def _volcano(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (62, 48, 50), 0.68)
    x = SIDE / 2 + rng.uniform(-26, 26)
    for dx, dy, r in ((0, -122, 26), (-26, -142, 30), (22, -150, 34), (-4, -166, 34)):
        pen.ellipse((x + dx - r, y + dy - r, x + dx + r, y + dy + r), (92, 86, 92))
    pen.polygon((x - 130, y, x - 26, y - 112, x + 26, y - 112, x + 130, y), (92, 66, 62))
    pen.polygon(
        (
            x - 26,
            y - 112,
            x + 26,
            y - 112,
            x + 34,
            y - 92,
            x + 18,
            y - 56,
            x + 10,
            y - 88,
            x - 6,
            y - 40,
            x - 14,
            y - 86,
            x - 34,
            y - 94,
        ),
        (255, 110, 20),
    )
    for dx in (-40, -16, 14, 42):
        pen.line((x + dx * 0.2, y - 112, x + dx, y - 146 + abs(dx) * 0.4), (255, 190, 40), 5)
    for row in range(3):
        start = rng.uniform(-30, 120)
        pen.line(
            (
                start,
                y + 20 + row * 26,
                start + 50,
                y + 30 + row * 26,
                start + 120,
                y + 18 + row * 26,
            ),
            (255, 120, 20),
            8,
        )


def _swamp(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (84, 104, 60), 0.56)
    for x in (rng.uniform(8, 40), rng.uniform(216, 248), rng.uniform(90, 110)):
        pen.polygon(
            (x - 8, 30, x + 8, 30, x + 10, y, x + 22, y + 16, x - 22, y + 16, x - 10, y),
            (74, 66, 50),
        )
        pen.line((x, 60, x + 34, 34), (74, 66, 50), 6)
        pen.line((x, 76, x - 34, 54), (74, 66, 50), 6)
        for dx in (-30, -16, 18, 32):
            pen.line((x + dx, 44, x + dx, 96 + dx), (98, 122, 64), 5)
    for row in range(7):
        x, spot = rng.uniform(0, SIDE), y + 20 + row * 12
        pen.ellipse((x - 22, spot - 5, x + 22, spot + 5), (128, 160, 70))
    for _ in range(7):
        x, base = rng.uniform(0, SIDE), rng.uniform(y + 24, SIDE)
        pen.line((x, base, x + 3, base - 40), (60, 84, 40), 3)
        pen.line((x + 3, base - 40, x + 3, base - 56), (110, 70, 36), 7)


def _river(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (104, 160, 84), 0.56)
    _hill(pen, 40, y + 4, 100, 34, (84, 140, 76))
    _hill(pen, 220, y + 4, 100, 28, (94, 150, 80))
    pen.rectangle((0, y + 4, SIDE, SIDE), (104, 160, 84))
    x = rng.uniform(100, 156)
    pen.polygon(
        (
            x - 6,
            y + 2,
            x + 8,
            y + 2,
            x + 40,
            y + 22,
            x - 10,
            y + 44,
            x + 120,
            SIDE,
            x - 130,
            SIDE,
            x - 70,
            y + 50,
            x - 6,
            y + 22,
        ),
        (60, 146, 220),
    )
    for row in range(6):
        start, spot = x - 60 + rng.uniform(-10, 40), y + 44 + row * 11
        pen.line((start, spot, start + 26, spot), (190, 226, 250), 3)


def _wheat(pen: Draw, rng: Random) -> None:
    y = _ground(pen, rng, (222, 178, 66), 0.54)
    pen.rectangle((0, y, SIDE, y + 10), (196, 150, 50))
    for row in range(5):
        spot = y + 22 + row * 22
        for step in range(15):
            x = step * 18 + (row % 2) * 9 + rng.uniform(-3, 3)
            pen.line((x, spot + 16, x + 2, spot - 8), (176, 128, 36), 2)
            pen.ellipse((x - 2, spot - 20, x + 6, spot - 4), (250, 216, 110))


OUTDOORS: dict[str, Scenery] = {
    "forest": _forest,
    "desert": _desert,
    "beach": _beach,
    "mountains": _mountains,
    "city": _city,
    "snowfield": _snowfield,
    "meadow": _meadow,
    "volcano": _volcano,
    "swamp": _swamp,
    "river": _river,
    "wheat": _wheat,
}
