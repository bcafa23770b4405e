"""Figures: the drawings of subjects, recorded once in a process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt

from unprompt_painter.data import Colour
from unprompt_painter.draw.steps import drawing, run

Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """A filled polygon (``width`` 0) or a round-ended line.

    Its paint is a colour, or ``body``, ``dark`` or ``light``: shades of the subject's own.
    """

    points: tuple[Point, ...]
    paint: Colour | str
    width: float = 0.0


@dataclass(frozen=True)
class Figure:
    """The shapes of a subject, facing right where it has a front.

    Attributes:
        shapes: From the back to the front, in a field of about 100 by 100 units, y down.
        points: The points of all shapes one after another, of shape (points, 2).
        box: Left, top, right and bottom of the whole.
    """

    shapes: tuple[Shape, ...]
    points: npt.NDArray[np.float64]
    box: tuple[float, float, float, float]


@cache
def figure(key: str) -> Figure:
    """Returns the drawing of a subject by its key."""
    recorder = _Recorder()
    run(drawing(f"figures/{key}"), recorder, {}, Random(0))
    points = np.array([point for shape in recorder.shapes for point in shape.points])
    reach = np.array([shape.width / 2 for shape in recorder.shapes for _ in shape.points])[:, None]
    left, top = (points - reach).min(axis=0).tolist()
    right, bottom = (points + reach).max(axis=0).tolist()
    return Figure(tuple(recorder.shapes), points, (left, top, right, bottom))


class _Recorder:
    """A pen that keeps shapes."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []

    def draw(self, operation: str, *values: Any) -> None:
        """Keeps the shape of one operation of ``_AREAS`` or ``_STROKES``."""
        paint, *numbers = values
        width = numbers.pop(0) if operation in _STROKES else 0.0
        outline = (_STROKES if operation in _STROKES else _AREAS)[operation]
        self.shapes.append(Shape(outline(*numbers), paint, width))


def _pairs(*xy: float) -> tuple[Point, ...]:
    return tuple(zip(xy[::2], xy[1::2], strict=True))


def _oval(x: float, y: float, rx: float, ry: float = 0.0, turn: float = 0.0) -> tuple[Point, ...]:
    """Returns an ellipse around a point; ``turn`` rotates it, in degrees clockwise."""
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    offsets = _arc(rx, ry or rx, 0, 360)[:-1]
    return tuple((x + dx * cos - dy * sin, y + dx * sin + dy * cos) for dx, dy in offsets)


def _pie(x: float, y: float, rx: float, ry: float, start: float, end: float) -> tuple[Point, ...]:
    """Returns a part of an ellipse, from angle to angle in degrees clockwise from the right."""
    return (x, y), *((x + dx, y + dy) for dx, dy in _arc(rx, ry, start, end))


def _arc(rx: float, ry: float, start: float, end: float) -> list[Point]:
    steps = max(4, round((end - start) / 18))
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(rx * math.cos(angle), ry * math.sin(angle)) for angle in angles]


def _curve(*xy: float, closed: bool = False) -> tuple[Point, ...]:
    """Returns points along the Catmull-Rom curve through some points."""
    points = _pairs(*xy)
    before, after = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    knots = np.array([*before, *points, *after])
    a, b, c, d = (knots[i : len(knots) - 3 + i, None] for i in range(4))
    t = np.array([0.0, 0.25, 0.5, 0.75])[:, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    smooth = [(x, y) for x, y in curve.reshape(-1, 2).tolist()]
    return tuple(smooth if closed else [*smooth, points[-1]])


_AREAS: dict[str, Callable[..., tuple[Point, ...]]] = {
    "poly": _pairs,
    "blob": lambda *xy: _curve(*xy, closed=True),
    "oval": _oval,
    "pie": _pie,
    "rect": lambda x0, y0, x1, y1: ((x0, y0), (x1, y0), (x1, y1), (x0, y1)),
}
_STROKES: dict[str, Callable[..., tuple[Point, ...]]] = {
    "line": _pairs,
    "curve": _curve,
    "ring": lambda x, y, r: (*_oval(x, y, r), (x + r, y)),
}
