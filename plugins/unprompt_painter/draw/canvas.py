"""Stamping figures on a picture: where they stand, in which paint, with which outline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from PIL import ImageDraw

from unprompt_painter.draw.pen import Figure, Paint, Pen, Point
from unprompt_painter.draw.subjects_land import LAND
from unprompt_painter.draw.subjects_people import PEOPLE
from unprompt_painter.draw.subjects_things import THINGS
from unprompt_painter.draw.subjects_vehicles import VEHICLES
from unprompt_painter.draw.subjects_water import WATER

Colour = tuple[int, int, int]

SIDE = 256
"""Width and height of the canvas in pixels: twice the picture's, against jagged edges."""

DRAWINGS = LAND | WATER | PEOPLE | VEHICLES | THINGS


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
    """Paints of a figure: the body's shades and the outline (None: no outline)."""

    body: Colour
    outline: Colour | None
    outline_width: float = 3.0
    tint: Colour = (255, 255, 255)

    def mix(self, paint: Paint) -> Colour:
        """Returns the colour of a paint under this light."""
        if isinstance(paint, tuple):
            colour = paint
        elif paint == "body":
            colour = self.body
        else:
            towards, share = ((20, 16, 30), 0.34) if paint == "dark" else ((255, 255, 245), 0.45)
            colour = blend(self.body, towards, share)
        red, green, blue = (
            part * tone // 255 for part, tone in zip(colour, self.tint, strict=True)
        )
        return red, green, blue


def blend(a: Colour, b: Colour, share: float) -> Colour:
    """Returns a colour between two: ``a`` at share 0, ``b`` at share 1."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


@cache
def figure(key: str) -> Figure:
    """Returns the drawing of a subject (drawn once in a process)."""
    pen = Pen()
    DRAWINGS[key](pen)
    return pen.figure()


def scale_of(shape: Figure, place: Place) -> float:
    """Returns canvas pixels for each unit of the figure, so that it fits its room."""
    left, top, right, bottom = shape.box
    return min(place.height / (bottom - top), place.width / (right - left))


def stamp(pen: ImageDraw.ImageDraw, shape: Figure, place: Place, paints: Paints) -> None:
    """Draws a figure; the outline goes below all of its shapes, so it runs around the whole."""
    scale = scale_of(shape, place)
    moved = [_move(part.points, shape, place, scale) for part in shape.shapes]
    if paints.outline is not None:
        for part, points in zip(shape.shapes, moved, strict=True):
            grown = part.width * scale + 2 * paints.outline_width
            if part.width:
                _stroke(pen, points, grown, paints.outline)
            else:
                pen.line(
                    [*points, points[0], points[1]],
                    paints.outline,
                    round(2 * paints.outline_width),
                    "curve" if len(points) < 9 else None,
                )
    for part, points in zip(shape.shapes, moved, strict=True):
        colour = paints.mix(part.paint)
        if part.width:
            _stroke(pen, points, part.width * scale, colour)
        else:
            pen.polygon(points, colour)


def _stroke(pen: ImageDraw.ImageDraw, points: list[Point], width: float, paint: Colour) -> None:
    pen.line(points, paint, max(1, round(width)))
    radius = width / 2 - 0.5
    if radius < 1.5:
        return
    for x, y in points:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), paint)


def _move(points: tuple[Point, ...], shape: Figure, place: Place, scale: float) -> list[Point]:
    left, _, right, bottom = shape.box
    middle = (left + right) / 2
    across = scale * place.squash * (-1 if place.flip else 1)
    lean = place.bend / (shape.box[3] - shape.box[1])
    cos, sin = math.cos(place.turn), math.sin(place.turn)
    moved = []
    for x, y in points:
        up = (y - bottom) * scale
        side = (x - middle) * across + lean * up * up / scale
        moved.append((place.x + side * cos - up * sin, place.base + side * sin + up * cos))
    return moved
