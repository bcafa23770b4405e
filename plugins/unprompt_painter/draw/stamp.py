"""Stamping figures on an image: where they stand, in which paint, with which outline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice

from PIL import ImageDraw

from unprompt_painter.data import Colour
from unprompt_painter.draw.figures import Figure, Point

_SHADES: dict[str, tuple[Colour, float]] = {
    "body": ((0, 0, 0), 0.0),
    "dark": ((20, 16, 30), 0.34),
    "light": ((255, 255, 245), 0.45),
}
"""What a shade of the body is mixed with, and the share of that."""


@dataclass(frozen=True)
class Place:
    """Where a figure stands.

    Attributes:
        x: Middle, in canvas pixels.
        base: Lowest point, in canvas pixels.
        width, height: Room it may fill, in canvas pixels.
        flip: Whether its front is to the left.
        turn: Rotation around its base, in radians.
        bend: Sideways lean of its upper parts, as a share of its height.
        squash: Factor of its width.
    """

    x: float
    base: float
    width: float
    height: float
    flip: bool = False
    turn: float = 0.0
    bend: float = 0.0
    squash: float = 1.0


@dataclass(frozen=True)
class Paints:
    """Paints of a figure: the body's colour, the outline (None: no outline) and the light."""

    body: Colour
    outline: Colour | None
    outline_width: float = 3.0
    light: Colour = (255, 255, 255)

    def mix(self, paint: Colour | str) -> Colour:
        """Returns the colour of a paint under this light."""
        colour = blend(self.body, *_SHADES[paint]) if isinstance(paint, str) else paint
        return tuple(part * tone // 255 for part, tone in zip(colour, self.light, strict=True))


def blend(a: Colour, b: Colour, share: float) -> Colour:
    """Returns a colour between two: ``a`` at share 0, ``b`` at share 1."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))


def scale_of(figure: Figure, place: Place) -> float:
    """Returns canvas pixels for each unit of the figure, so that it fits its room."""
    left, top, right, bottom = figure.box
    return min(place.height / (bottom - top), place.width / (right - left))


def stamp(pen: ImageDraw.ImageDraw, figure: Figure, place: Place, paints: Paints) -> None:
    """Draws a figure; the outline goes below all of its shapes, so it runs around the whole."""
    scale = scale_of(figure, place)
    moved = iter(_moved(figure, place, scale))
    parts = [(shape, list(islice(moved, len(shape.points)))) for shape in figure.shapes]
    if paints.outline is not None:
        for shape, points in parts:
            grown = shape.width * scale + 2 * paints.outline_width
            if shape.width:
                _stroke(pen, points, grown, paints.outline)
            else:
                joint = "curve" if len(points) < 9 else None
                pen.line([*points, *points[:2]], paints.outline, round(grown), joint)
    colours = {paint: paints.mix(paint) for paint in {shape.paint for shape in figure.shapes}}
    for shape, points in parts:
        if shape.width:
            _stroke(pen, points, shape.width * scale, colours[shape.paint])
        else:
            pen.polygon(points, colours[shape.paint])


def _stroke(pen: ImageDraw.ImageDraw, points: list[Point], width: float, paint: Colour) -> None:
    pen.line(points, paint, max(1, round(width)))
    radius = width / 2 - 0.5
    if radius >= 1.5:
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), paint)


def _moved(figure: Figure, place: Place, scale: float) -> list[Point]:
    """Returns the points of a figure at its place, in canvas pixels."""
    left, top, right, bottom = figure.box
    across = scale * place.squash * (-1 if place.flip else 1)
    up = (figure.points[:, 1] - bottom) * scale
    lean = place.bend / (bottom - top) * up * up / scale
    side = (figure.points[:, 0] - (left + right) / 2) * across + lean
    cos, sin = math.cos(place.turn), math.sin(place.turn)
    x = place.x + side * cos - up * sin
    y = place.base + side * sin + up * cos
    return list(zip(x.tolist(), y.tolist(), strict=True))
