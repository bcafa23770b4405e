"""Skies: light and weather behind everything else, and weather in front of it."""

from __future__ import annotations

import math
from functools import lru_cache
from random import Random

from PIL import Image, ImageDraw

from unprompt_painter.draw.canvas import SIDE, Colour

DAY = ((120, 186, 240), (214, 234, 246))
SKIES: dict[str | None, tuple[Colour, Colour]] = {
    None: DAY,
    "noon": ((30, 130, 250), (150, 214, 255)),
    "sunset": ((110, 40, 110), (255, 130, 30)),
    "dawn": ((150, 150, 230), (255, 196, 210)),
    "night": ((8, 12, 44), (34, 46, 96)),
    "aurora": ((4, 14, 34), (16, 50, 70)),
}
WEATHER_SKIES: dict[str, tuple[Colour, Colour]] = {
    "rain": ((96, 106, 122), (150, 160, 172)),
    "snow": ((128, 142, 164), (178, 190, 206)),
    "fog": ((196, 202, 206), (222, 226, 228)),
    "storm": ((34, 34, 54), (84, 80, 104)),
    "rainbow": ((110, 170, 226), (190, 220, 240)),
}
LAND_TINTS: dict[str | None, Colour] = {
    None: (255, 255, 255),
    "noon": (255, 255, 240),
    "sunset": (255, 176, 120),
    "dawn": (248, 206, 224),
    "night": (84, 96, 160),
    "aurora": (80, 130, 130),
    "rain": (190, 198, 210),
    "snow": (214, 222, 236),
    "storm": (120, 120, 150),
}
SUBJECT_TINTS: dict[str | None, Colour] = {
    "sunset": (255, 228, 206),
    "dawn": (255, 236, 242),
    "night": (196, 204, 236),
    "aurora": (196, 228, 224),
    "storm": (220, 220, 236),
}


@lru_cache(maxsize=1)
def _ramp() -> Image.Image:
    return Image.linear_gradient("L").resize((SIDE, SIDE))


def gradient(top: Colour, bottom: Colour) -> Image.Image:
    """Returns a canvas that runs from one colour to another."""
    size = (SIDE, SIDE)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), _ramp())


def sky(light: str | None, weather: str | None, rng: Random) -> Image.Image:
    """Draws the sky, with sun, moon, stars, clouds, bow or lightning."""
    colours = SKIES[light]
    if light is None and weather in WEATHER_SKIES:
        colours = WEATHER_SKIES[weather]
    image = gradient(*colours)
    pen = ImageDraw.Draw(image)
    side = rng.choice((0.17, 0.83))
    x, y = SIDE * (side + rng.uniform(-0.04, 0.04)), SIDE * rng.uniform(0.15, 0.2)
    if light == "noon":
        _noon(pen, x, y)
    elif light in ("sunset", "dawn"):
        _low_sun(pen, x, y + 0.08 * SIDE, light)
    elif light == "night":
        _stars(pen, rng)
        _moon(pen, x, y, colours[0])
    elif light == "aurora":
        _aurora(image, rng)
        _stars(ImageDraw.Draw(image), rng)
    pen = ImageDraw.Draw(image)
    if weather in ("rain", "storm", "snow"):
        _overcast(pen, weather, light, rng)
    elif light is None and weather in (None, "wind", "rainbow"):
        _clouds(pen, rng)
    return image


def _disc(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, paint: Colour) -> None:
    pen.ellipse((x - r, y - r, x + r, y + r), paint)


def _noon(pen: ImageDraw.ImageDraw, x: float, y: float) -> None:
    for step in range(12):
        angle = math.tau * step / 12
        pen.line(
            (
                x + 34 * math.cos(angle),
                y + 34 * math.sin(angle),
                x + 56 * math.cos(angle),
                y + 56 * math.sin(angle),
            ),
            (255, 236, 90),
            6,
        )
    _disc(pen, x, y, 27, (255, 226, 50))


def _low_sun(pen: ImageDraw.ImageDraw, x: float, y: float, light: str) -> None:
    halo, disc = (
        ((255, 150, 60), (255, 226, 90))
        if light == "sunset"
        else ((255, 214, 196), (255, 246, 214))
    )
    _disc(pen, x, y, 44, halo)
    _disc(pen, x, y, 32, disc)
    if light == "sunset":
        for row in range(4):
            pen.rectangle((0, y + 2 + row * 14, SIDE, y + 5 + row * 14), (235, 90, 50))


def _moon(pen: ImageDraw.ImageDraw, x: float, y: float, sky_colour: Colour) -> None:
    _disc(pen, x, y, 27, (246, 244, 214))
    _disc(pen, x + 14, y - 6, 23, sky_colour)


def _stars(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    for _ in range(34):
        x, y, r = rng.uniform(0, SIDE), rng.uniform(0, SIDE * 0.55), rng.choice((1.2, 1.8, 2.6))
        _disc(pen, x, y, r, (255, 255, 235))


def _aurora(image: Image.Image, rng: Random) -> None:
    pen = ImageDraw.Draw(image, "RGBA")
    phase = rng.uniform(0, 6)
    for band, paint in enumerate(((60, 255, 150), (90, 255, 200), (170, 90, 255))):
        for x in range(0, SIDE, 8):
            y = 34 + band * 22 + 20 * math.sin(phase + x / 38 + band)
            pen.rectangle((x, y - 34, x + 7, y), (*paint, 70))
            pen.rectangle((x, y - 10, x + 7, y + 12), (*paint, 150))


def _rainbow(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    x, y = SIDE * rng.uniform(0.42, 0.58), SIDE * 0.72
    colours = (
        (235, 50, 50),
        (250, 150, 40),
        (250, 230, 60),
        (70, 190, 80),
        (60, 110, 230),
        (140, 70, 200),
    )
    for ring, paint in enumerate(colours):
        r = SIDE * 0.62 - ring * 9
        pen.arc((x - r * 0.86, y - r, x + r * 0.86, y + r), 180, 360, paint, 10)


def _clouds(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    for _ in range(3):
        x, y = rng.uniform(0, SIDE), rng.uniform(14, 70)
        for dx, dy, r in ((-20, 4, 12), (0, -3, 17), (20, 3, 13)):
            pen.ellipse(
                (x + dx - r * 1.3, y + dy - r, x + dx + r * 1.3, y + dy + r), (250, 252, 255)
            )


def _overcast(pen: ImageDraw.ImageDraw, weather: str, light: str | None, rng: Random) -> None:
    paint = {"rain": (84, 92, 106), "snow": (206, 214, 226), "storm": (24, 24, 38)}[weather]
    if light in ("night", "aurora"):
        return
    for step in range(7):
        x = step * SIDE / 6 + rng.uniform(-10, 10)
        r = rng.uniform(24, 34)
        pen.ellipse((x - r * 1.4, 4 - r, x + r * 1.4, 4 + r), paint)


def weather_behind(image: Image.Image, weather: str | None, rng: Random) -> None:
    """Draws what stands between the land and the subjects: the bow and the lightning."""
    pen = ImageDraw.Draw(image)
    if weather == "rainbow":
        _rainbow(pen, rng)
    elif weather == "storm":
        x = SIDE * rng.choice((0.16, 0.84))
        points = [
            (x, 20),
            (x - 14, 66),
            (x + 4, 62),
            (x - 14, 120),
            (x + 24, 50),
            (x + 6, 52),
            (x + 18, 20),
        ]
        pen.line([*points, points[0]], (190, 170, 255), 7)
        pen.polygon(points, (255, 250, 150))


def weather_in_front(image: Image.Image, weather: str | None, rng: Random) -> None:
    """Draws what falls or blows before the subjects, on a canvas, in place."""
    if weather == "rain":
        pen = ImageDraw.Draw(image)
        for _ in range(64):
            x, y, drop = rng.uniform(0, SIDE * 1.1), rng.uniform(-20, SIDE), rng.uniform(16, 28)
            pen.line((x, y, x - drop * 0.3, y + drop), (206, 226, 250), 2)
    elif weather == "snow":
        pen = ImageDraw.Draw(image)
        for _ in range(80):
            x, y = rng.uniform(0, SIDE), rng.uniform(0, SIDE)
            _disc(pen, x, y, rng.choice((2.5, 3.5, 4.5)), (255, 255, 255))
    elif weather == "fog":
        _banks(ImageDraw.Draw(image, "RGBA"), rng)
    elif weather == "wind":
        _wind(ImageDraw.Draw(image), rng)


def _banks(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    # Banks with edges: a veil alone would leave no line for the line drawings to show.
    for y in (0.3, 0.55, 0.74, 0.9):
        x, half = SIDE * rng.uniform(0.1, 0.9), SIDE * rng.uniform(0.34, 0.5)
        spot = SIDE * (y + rng.uniform(-0.03, 0.03))
        pen.rounded_rectangle((x - half, spot - 9, x + half, spot + 9), 9, (246, 248, 250, 140))


def _wind(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    for _ in range(4):
        x, y, r = rng.uniform(20, SIDE - 60), rng.uniform(20, SIDE * 0.6), rng.uniform(9, 13)
        pen.line((x - 80, y + r, x, y + r), (255, 255, 255), 4)
        pen.arc((x - r, y - r, x + r, y + r), 180, 450, (255, 255, 255), 4)
    for _ in range(16):
        x, y, r = rng.uniform(0, SIDE), rng.uniform(0, SIDE), rng.uniform(5, 8)
        pen.polygon(
            (x - r, y, x, y - r * 0.6, x + r, y - r * 0.3, x, y + r * 0.5),
            rng.choice(((210, 90, 30), (190, 140, 30), (160, 60, 30))),
        )


def fog(image: Image.Image) -> Image.Image:
    """Returns the canvas behind a veil."""
    return Image.blend(image, Image.new("RGB", image.size, (226, 229, 231)), 0.66)
