"""Figures: the drawings of subjects, recorded once in a process and stamped on images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import ImageDraw

from unprompt_painter.data import Colour, load
from unprompt_painter.draw.steps import run

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Shape:
    """A filled polygon (``width`` 0) or a round-ended line, of ``size`` points.

    Its paint is a colour, or ``body``, ``dark`` or ``light``: shades of the subject's own.
    """

    size: int
    paint: Colour | str
    width: float = 0.0


@dataclass(frozen=True)
class Figure:
    """The shapes of a subject, facing right where it has a front, in units of its drawing.

    Attributes:
        shapes: From the back to the front.
        points: The points of all shapes one after another, of shape (points, 2): x from the middle
            of the figure, y down from its lowest point.
        width, height: Those of the whole.
    """

    shapes: list[Shape]
    points: npt.NDArray[np.float64]
    width: float
    height: float


@dataclass(frozen=True)
class Place:
    """Where a figure stands.

    Attributes:
        figure: The figure.
        x: Middle, in canvas pixels.
        base: Lowest point, in canvas pixels.
        width, height: Room it may fill, in canvas pixels.
        flip: Whether its front is to the left.
        turn: Rotation around its base, in radians.
        bend: Sideways lean of its upper parts, as a share of its height.
        squash: Factor of its width.
    """

    figure: Figure
    x: float
    base: float
    width: float
    height: float
    flip: bool
    turn: float
    bend: float
    squash: float

    @property
    def scale(self) -> float:
        """Canvas pixels for each unit of the figure, so that it fits its room."""
        return min(self.height / self.figure.height, self.width / self.figure.width)


@dataclass(frozen=True)
class Paints:
    """Paints of a figure: the body's colour, the outline (none of width 0) and the light."""

    body: Colour
    outline: Colour
    outline_width: float
    light: Colour

    def mix(self, paint: Colour | str) -> Colour:
        """Returns the colour of a paint under this light."""
        colour = blend(self.body, *_SHADES[paint]) if isinstance(paint, str) else paint
        return tuple(part * tone // 255 for part, tone in zip(colour, self.light, strict=True))


# What a shade of the body is mixed with, and the share of that.
_SHADES: dict[str, tuple[Colour, float]] = {
    "body": ((0, 0, 0), 0.0),
    "dark": ((20, 16, 30), 0.34),
    "light": ((255, 255, 245), 0.45),
}


def blend(a: Colour, b: Colour, share: float) -> Colour:
    """Returns a colour between two: ``a`` at share 0, ``b`` at share 1."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))


@cache
def figure(key: str) -> Figure:
    """Returns the drawing of a subject by its key."""
    shapes: list[Shape] = []
    corners: Points = []

    def record(operation: str, paint: Colour | str, *numbers: float) -> None:
        width, *rest = numbers if operation in _STROKES else (0.0, *numbers)
        outline = _OUTLINES[operation](*rest)
        shapes.append(Shape(len(outline), paint, width))
        corners.extend(outline)

    run(load(f"figures/{key}"), record, {}, Random(0))
    points = np.array(corners)
    reach = np.repeat([shape.width / 2 for shape in shapes], [shape.size for shape in shapes])
    left, top = (points - reach[:, None]).min(axis=0).tolist()
    right, bottom = (points + reach[:, None]).max(axis=0).tolist()
    return Figure(shapes, points - ((left + right) / 2, bottom), right - left, bottom - top)


def _pairs(*xy: float) -> Points:
    return list(zip(xy[::2], xy[1::2], strict=True))


def _oval(x: float, y: float, rx: float, ry: float = 0.0, turn: float = 0.0) -> Points:
    """Returns an ellipse around a point; ``turn`` rotates it, in degrees clockwise."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    angles = [math.radians(degrees) for degrees in range(0, 360, 18)]
    offsets = [(rx * math.cos(angle), (ry or rx) * math.sin(angle)) for angle in angles]
    return [(x + dx * cos - dy * sin, y + dx * sin + dy * cos) for dx, dy in offsets]


def _curve(*xy: float, closed: bool = False) -> Points:
    """Returns points along the Catmull-Rom curve through some points."""
    points = _pairs(*xy)
    before, after = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    knots = np.array([*before, *points, *after])
    a, b, c, d = (knots[i : len(knots) - 3 + i, None] for i in range(4))
    t = np.array([0.0, 0.25, 0.5, 0.75])[:, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    smooth = _pairs(*curve.ravel().tolist())
    return smooth if closed else [*smooth, points[-1]]


_OUTLINES: dict[str, Callable[..., Points]] = {
    "poly": _pairs,
    "blob": lambda *xy: _curve(*xy, closed=True),
    "oval": _oval,
    # The upper half of an ellipse.
    "dome": lambda x, y, rx, ry: [(x, y), *_oval(x, y, rx, ry)[10:], (x + rx, y)],
    "rect": lambda x0, y0, x1, y1: [(x0, y0), (x1, y0), (x1, y1), (x0, y1)],
    "line": _pairs,
    "curve": _curve,
    "ring": lambda x, y, r: [*_oval(x, y, r), (x + r, y)],
}
_STROKES = ("line", "curve", "ring")  # their first number is a width


def stamp(pen: ImageDraw.ImageDraw, place: Place, paints: Paints) -> None:
    """Draws a figure; the outline goes below all of its shapes, so it runs around the whole."""
    scale, shapes = place.scale, place.figure.shapes
    moved = iter(_moved(place))
    parts = [(shape, list(islice(moved, shape.size))) for shape in shapes]
    if paints.outline_width:
        for shape, points in parts:
            grown = shape.width * scale + 2 * paints.outline_width
            if shape.width:
                _stroke(pen, points, grown, paints.outline)
            else:
                joint = "curve" if len(points) < 9 else None
                pen.line([*points, *points[:2]], paints.outline, round(grown), joint)
    colours = {paint: paints.mix(paint) for paint in {shape.paint for shape in shapes}}
    for shape, points in parts:
        if shape.width:
            _stroke(pen, points, shape.width * scale, colours[shape.paint])
        else:
            pen.polygon(points, colours[shape.paint])


def _stroke(pen: ImageDraw.ImageDraw, points: Points, width: float, paint: Colour) -> None:
    pen.line(points, paint, max(1, round(width)))
    radius = width / 2 - 0.5
    if radius >= 1.5:
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), paint)


def _moved(place: Place) -> Points:
    """Returns the points of a figure at its place, in canvas pixels."""
    figure, scale = place.figure, place.scale
    across = scale * place.squash * (-1 if place.flip else 1)
    up = figure.points[:, 1] * scale
    lean = place.bend / figure.height * up * up / scale
    side = figure.points[:, 0] * across + lean
    cos, sin = math.cos(place.turn), math.sin(place.turn)
    x = place.x + side * cos - up * sin
    y = place.base + side * sin + up * cos
    return list(zip(x.tolist(), y.tolist(), strict=True))
