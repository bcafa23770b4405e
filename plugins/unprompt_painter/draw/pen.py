"""A pen that records shapes; a figure is the recorded drawing of one subject."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Point = tuple[float, float]
Paint = str | tuple[int, int, int]
"""A fixed colour, or ``body``, ``dark`` or ``light``: shades of the subject's own colour."""

INK = (30, 28, 34)
CREAM = (250, 240, 220)
SNOW = (250, 250, 252)
GOLD = (250, 200, 50)
WOOD = (120, 80, 46)
STEEL = (150, 156, 166)
GLASS = (170, 220, 240)
BEAK = (250, 150, 30)
ROSE = (240, 120, 130)
LEAF = (70, 150, 60)


@dataclass(frozen=True)
class Shape:
    """A filled polygon (``width`` 0) or a round-ended line, in the subject's own units."""

    points: tuple[Point, ...]
    paint: Paint
    width: float = 0.0


@dataclass(frozen=True)
class Figure:
    """The shapes of a subject and the box ``(left, top, right, bottom)`` around them."""

    shapes: tuple[Shape, ...]
    box: tuple[float, float, float, float]


@dataclass
class Pen:
    """Records shapes on a field of 100 by 100 units, y down, the front facing right."""

    shapes: list[Shape] = field(default_factory=list)

    def poly(self, paint: Paint, *xy: float) -> None:
        """Fills a polygon through ``x0, y0, x1, y1, ...``."""
        self.shapes.append(Shape(pairs(xy), paint))

    def blob(self, paint: Paint, *xy: float) -> None:
        """Fills a smooth closed curve through the points."""
        self.shapes.append(Shape(smooth(pairs(xy), closed=True), paint))

    def oval(
        self, paint: Paint, x: float, y: float, rx: float, ry: float = 0.0, turn: float = 0.0
    ) -> None:
        """Fills an ellipse around a point; ``turn`` rotates it, in degrees clockwise."""
        self.shapes.append(Shape(arc_points(x, y, rx, ry or rx, 0, 360, turn), paint))

    def pie(
        self, paint: Paint, x: float, y: float, rx: float, ry: float, start: float, end: float
    ) -> None:
        """Fills the part of an ellipse between two angles (degrees clockwise from the right)."""
        self.shapes.append(Shape(arc_points(x, y, rx, ry, start, end), paint))

    def rect(self, paint: Paint, x0: float, y0: float, x1: float, y1: float) -> None:
        """Fills a rectangle."""
        self.poly(paint, x0, y0, x1, y0, x1, y1, x0, y1)

    def line(self, paint: Paint, width: float, *xy: float) -> None:
        """Draws straight strokes through the points."""
        self.shapes.append(Shape(pairs(xy), paint, width))

    def curve(self, paint: Paint, width: float, *xy: float) -> None:
        """Draws a smooth stroke through the points."""
        self.shapes.append(Shape(smooth(pairs(xy), closed=False), paint, width))

    def ring(self, paint: Paint, width: float, x: float, y: float, r: float) -> None:
        """Draws a circle as a stroke."""
        self.shapes.append(Shape((*arc_points(x, y, r, r, 0, 360), (x + r, y)), paint, width))

    def eye(self, x: float, y: float, r: float) -> None:
        """Draws an eye: a dark ball on white, so that it shows on every body colour."""
        self.oval(SNOW, x, y, r)
        self.oval(INK, x + r * 0.15, y, r * 0.6)

    def figure(self) -> Figure:
        """Returns what was drawn."""
        spots = [
            (x + sx * shape.width / 2, y + sy * shape.width / 2)
            for shape in self.shapes
            for x, y in shape.points
            for sx, sy in ((-1, -1), (1, 1))
        ]
        xs, ys = [x for x, _ in spots], [y for _, y in spots]
        return Figure(tuple(self.shapes), (min(xs), min(ys), max(xs), max(ys)))


def pairs(xy: tuple[float, ...]) -> tuple[Point, ...]:
    """Groups ``x0, y0, x1, y1, ...`` into points."""
    return tuple(zip(xy[::2], xy[1::2], strict=True))


def arc_points(
    x: float, y: float, rx: float, ry: float, start: float, end: float, turn: float = 0.0
) -> tuple[Point, ...]:
    """Returns points along an ellipse; an ellipse that is not closed ends at its centre too."""
    steps = max(4, round(abs(end - start) / 18))
    whole = abs(end - start) >= 360
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    points = [] if whole else [(x, y)]
    for step in range(steps if whole else steps + 1):
        angle = math.radians(start + (end - start) * step / steps)
        dx, dy = rx * math.cos(angle), ry * math.sin(angle)
        points.append((x + dx * cos - dy * sin, y + dx * sin + dy * cos))
    return tuple(points)


def smooth(points: tuple[Point, ...], *, closed: bool) -> tuple[Point, ...]:
    """Returns points along the Catmull-Rom curve through some points."""
    count = len(points)
    curve: list[Point] = []
    for place in range(count if closed else count - 1):
        around = [place - 1, place, place + 1, place + 2]
        if closed:
            p0, p1, p2, p3 = (points[i % count] for i in around)
        else:
            p0, p1, p2, p3 = (points[min(max(i, 0), count - 1)] for i in around)
        for t in (0.0, 0.25, 0.5, 0.75):
            curve.append(
                (_blend(p0[0], p1[0], p2[0], p3[0], t), _blend(p0[1], p1[1], p2[1], p3[1], t))
            )
    return tuple(curve) if closed else (*curve, points[-1])


def _blend(a: float, b: float, c: float, d: float, t: float) -> float:
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
