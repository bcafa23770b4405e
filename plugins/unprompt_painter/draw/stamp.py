"""Stamping figures on an image: where they stand, in which paint, with which outline."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import ImageDraw

from unprompt_painter.data import Colour
from unprompt_painter.draw.figures import Figure, Point
from unprompt_painter.draw.steps import Paint


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


# What a shade of the body is mixed with, and how much of that.
_SHADES: dict[str, tuple[Colour, float]] = {
    "body": ((0, 0, 0), 0.0),
    "dark": ((20, 16, 30), 0.34),
    "light": ((255, 255, 245), 0.45),
}


@dataclass(frozen=True)
class Paints:
    """Paints of a figure: the body's colour, the outline (None: no outline) and the light."""

    body: Colour
    outline: Colour | None
    outline_width: float = 3.0
    light: Colour = (255, 255, 255)

    def mix(self, paint: Paint) -> Colour:
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
    moved = [_move(shape.points, figure, place, scale) for shape in figure.shapes]
    if paints.outline is not None:
        for shape, points in zip(figure.shapes, moved, strict=True):
            grown = shape.width * scale + 2 * paints.outline_width
            if shape.width:
                _stroke(pen, points, grown, paints.outline)
            else:
                joint = "curve" if len(points) < 9 else None
                pen.line([*points, *points[:2]], paints.outline, round(grown), joint)
    for shape, points in zip(figure.shapes, moved, strict=True):
        colour = paints.mix(shape.paint)
        if shape.width:
            _stroke(pen, points, shape.width * scale, colour)
        else:
            pen.polygon(points, colour)


def _stroke(pen: ImageDraw.ImageDraw, points: list[Point], width: float, paint: Colour) -> None:
    pen.line(points, paint, max(1, round(width)))
    radius = width / 2 - 0.5
    if radius < 1.5:
        return
    for x, y in points:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), paint)


def _move(points: tuple[Point, ...], figure: Figure, place: Place, scale: float) -> list[Point]:
    left, top, right, bottom = figure.box
    middle = (left + right) / 2
    across = scale * place.squash * (-1 if place.flip else 1)
    lean = place.bend / (bottom - top)
    cos, sin = math.cos(place.turn), math.sin(place.turn)
    moved = []
    for x, y in points:
        up = (y - bottom) * scale
        side = (x - middle) * across + lean * up * up / scale
        moved.append((place.x + side * cos - up * sin, place.base + side * sin + up * cos))
    return moved
