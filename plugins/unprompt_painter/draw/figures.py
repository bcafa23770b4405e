"""Figures: the drawings of subjects, recorded once as polygons and strokes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random

from unprompt_painter.draw.steps import Paint, drawing, run

Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """A filled polygon (``width`` 0) or a round-ended line, in the subject's own units.

    Its paint is a fixed colour, or ``body``, ``dark`` or ``light``: shades of the subject's own.
    """

    points: tuple[Point, ...]
    paint: Paint
    width: float = 0.0


@dataclass(frozen=True)
class Figure:
    """The shapes of a subject and the box ``(left, top, right, bottom)`` around them."""

    shapes: tuple[Shape, ...]
    box: tuple[float, float, float, float]


@cache
def figure(key: str) -> Figure:
    """Returns the drawing of a subject (read once in a process)."""
    recorder = _Recorder()
    run(drawing(f"figures/{key}"), recorder, {}, Random(0))
    corners = [
        (x + side * shape.width / 2, y + side * shape.width / 2)
        for shape in recorder.shapes
        for x, y in shape.points
        for side in (-1, 1)
    ]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return Figure(tuple(recorder.shapes), (min(xs), min(ys), max(xs), max(ys)))


@dataclass
class _Recorder:
    """A pen on a field of 100 by 100 units, y down, the front facing right."""

    shapes: list[Shape] = field(default_factory=list)

    def draw(self, operation: str, paint: Paint, numbers: Sequence[float]) -> None:
        """Records one shape."""
        if operation in _STROKES:
            width, *rest = numbers
            self.shapes.append(Shape(_STROKES[operation](*rest), paint, width))
        else:
            self.shapes.append(Shape(_AREAS[operation](*numbers), paint))


def _pairs(*xy: float) -> tuple[Point, ...]:
    return tuple(zip(xy[::2], xy[1::2], strict=True))


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> tuple[Point, ...]:
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def _oval(x: float, y: float, rx: float, ry: float = 0.0, turn: float = 0.0) -> tuple[Point, ...]:
    """Returns an ellipse around a point; ``turn`` rotates it, in degrees clockwise."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    offsets = _arc(rx, ry or rx, 0, 360)[:-1]
    return tuple((x + dx * cos - dy * sin, y + dx * sin + dy * cos) for dx, dy in offsets)


def _pie(x: float, y: float, rx: float, ry: float, start: float, end: float) -> tuple[Point, ...]:
    """Returns a part of an ellipse, from angle to angle in degrees clockwise from the right."""
    return (x, y), *((x + dx, y + dy) for dx, dy in _arc(rx, ry, start, end))


def _ring(x: float, y: float, r: float) -> tuple[Point, ...]:
    return *_oval(x, y, r), (x + r, y)


def _arc(rx: float, ry: float, start: float, end: float) -> list[Point]:
    steps = max(4, round((end - start) / 18))
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(rx * math.cos(angle), ry * math.sin(angle)) for angle in angles]


def _smooth(points: tuple[Point, ...], *, closed: bool) -> tuple[Point, ...]:
    """Returns points along the Catmull-Rom curve through some points."""
    around = points[-1:] if closed else points[:1]
    beyond = points[:2] if closed else points[-1:]
    knots = (*around, *points, *beyond)
    curve = [
        (_between(a[0], b[0], c[0], d[0], t), _between(a[1], b[1], c[1], d[1], t))
        for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False)
        for t in (0.0, 0.25, 0.5, 0.75)
    ]
    return tuple(curve) if closed else (*curve, points[-1])


def _between(a: float, b: float, c: float, d: float, t: float) -> float:
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


_AREAS: dict[str, Callable[..., tuple[Point, ...]]] = {
    "poly": _pairs,
    "blob": lambda *xy: _smooth(_pairs(*xy), closed=True),
    "oval": _oval,
    "pie": _pie,
    "rect": _rectangle,
}
_STROKES: dict[str, Callable[..., tuple[Point, ...]]] = {
    "line": _pairs,
    "curve": lambda *xy: _smooth(_pairs(*xy), closed=False),
    "ring": _ring,
}
