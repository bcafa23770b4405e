"""Drawings of land animals, all facing right."""

from __future__ import annotations

from collections.abc import Callable

from unprompt_painter.draw.pen import CREAM, INK, ROSE, SNOW, Pen


def _fox(p: Pen) -> None:
    p.blob("body", 26, 70, 10, 66, 0, 46, 4, 26, 16, 34, 24, 52, 32, 58)
    p.blob(SNOW, 0, 44, 4, 24, 17, 35, 14, 44)
    for x in (28, 38, 58, 66):
        p.poly("dark", x - 4, 66, x + 5, 66, x + 4, 96, x - 3, 96)
    p.blob("body", 20, 62, 32, 50, 56, 50, 74, 46, 76, 62, 66, 76, 34, 76)
    p.blob(SNOW, 66, 50, 78, 52, 76, 68, 66, 74, 62, 62)
    p.poly("body", 56, 32, 58, 2, 70, 20)
    p.poly("body", 70, 22, 84, 4, 86, 30)
    p.poly(INK, 59, 14, 59, 5, 66, 17)
    p.blob("body", 56, 38, 60, 22, 74, 18, 86, 26, 104, 48, 90, 53, 70, 56)
    p.blob(SNOW, 62, 48, 78, 44, 103, 48, 90, 54, 70, 57)
    p.oval(INK, 102, 47, 3.4)
    p.eye(79, 34, 4)


def _cat(p: Pen) -> None:
    p.curve("dark", 9, 66, 92, 86, 88, 92, 70, 84, 58, 90, 48)
    p.blob("body", 28, 96, 26, 76, 36, 52, 62, 52, 72, 76, 70, 96)
    p.oval("light", 49, 78, 11, 15)
    p.poly("body", 22, 32, 22, 2, 46, 16)
    p.poly("body", 54, 16, 78, 2, 78, 32)
    p.poly(ROSE, 27, 22, 26, 9, 36, 16)
    p.poly(ROSE, 64, 16, 74, 9, 73, 22)
    p.oval("body", 50, 36, 29, 24)
    for y in (39, 45):
        p.line(INK, 1.5, 38, 43, 14, y)
        p.line(INK, 1.5, 62, 43, 86, y)
    p.eye(39, 32, 6)
    p.eye(61, 32, 6)
    p.poly(ROSE, 46, 41, 54, 41, 50, 46)
    p.curve(INK, 2, 41, 49, 46, 51, 50, 46, 54, 51, 59, 49)
    p.oval("light", 40, 94, 8, 5)
    p.oval("light", 58, 94, 8, 5)


def _rabbit(p: Pen) -> None:
    p.oval("body", 38, 22, 8, 24, -8)
    p.oval("body", 60, 22, 8, 24, 8)
    p.oval(ROSE, 38, 24, 3.5, 16, -8)
    p.oval(ROSE, 60, 24, 3.5, 16, 8)
    p.oval(SNOW, 76, 84, 9)
    p.oval("body", 49, 80, 26, 20)
    p.oval("light", 49, 82, 13, 14)
    p.oval("body", 49, 53, 20, 18)
    p.eye(41, 50, 4.5)
    p.eye(57, 50, 4.5)
    p.poly(ROSE, 46, 57, 52, 57, 49, 61)
    p.rect(SNOW, 46, 63, 52, 69)
    p.oval("dark", 33, 97, 12, 5)
    p.oval("dark", 65, 97, 12, 5)


def _elephant(p: Pen) -> None:
    p.curve("dark", 3, 10, 50, 3, 60, 4, 72)
    for x in (16, 32, 50, 62):
        p.rect("dark" if x in (32, 62) else "body", x - 6, 64, x + 8, 96)
        p.rect(CREAM, x - 5, 92, x + 7, 96)
    p.oval("body", 40, 48, 34, 27)
    p.curve("body", 11, 88, 44, 98, 58, 97, 76, 92, 88, 103, 90)
    p.oval("body", 78, 38, 20, 20)
    p.blob("dark", 68, 20, 52, 18, 44, 36, 52, 58, 66, 60, 72, 42)
    p.curve(SNOW, 5, 86, 56, 96, 66, 108, 62)
    p.eye(84, 33, 4)


def _giraffe(p: Pen) -> None:
    for x, paint in ((26, "body"), (34, "dark"), (52, "dark"), (60, "body")):
        p.poly(paint, x - 3, 64, x + 4, 64, x + 3, 98, x - 2, 98)
    p.curve("dark", 3, 22, 56, 16, 66, 17, 76)
    p.blob("body", 20, 58, 30, 50, 56, 48, 66, 52, 66, 68, 44, 72, 24, 70)
    p.poly("body", 50, 58, 66, 10, 77, 12, 68, 62)
    p.line("dark", 2.5, 68, 10, 66, 0)
    p.line("dark", 2.5, 74, 10, 74, 0)
    p.blob("body", 64, 14, 70, 5, 80, 7, 94, 18, 90, 24, 72, 20)
    p.poly("dark", 66, 10, 55, 6, 62, 15)
    p.eye(77, 11, 3)
    for x, y, r in (
        (30, 58, 5),
        (42, 55, 5),
        (36, 66, 4),
        (52, 64, 5),
        (60, 55, 4.5),
        (62, 42, 4),
        (66, 30, 3.6),
        (59, 50, 3),
        (70, 20, 3),
    ):
        p.oval((120, 70, 30), x, y, r, r * 0.85)


def _bear(p: Pen) -> None:
    for side in (-1, 1):
        p.oval("body", 50 + side * 22, 14, 11)
        p.oval("light", 50 + side * 22, 15, 6)
        p.oval("body", 50 + side * 30, 60, 9, 17, side * -35)
        p.oval("body", 50 + side * 24, 90, 14, 11)
        p.oval("light", 50 + side * 25, 91, 8, 7)
    p.oval("body", 50, 70, 28, 27)
    p.oval("light", 50, 72, 16, 17)
    p.oval("body", 50, 30, 28, 24)
    p.oval(CREAM, 50, 38, 13, 10)
    p.oval(INK, 50, 33, 5.5, 4)
    p.curve(INK, 2, 43, 42, 47, 44, 50, 38, 53, 44, 57, 42)
    p.eye(38, 25, 4)
    p.eye(62, 25, 4)


def _frog(p: Pen) -> None:
    for side in (-1, 1):
        p.oval("dark", 50 + side * 36, 74, 14, 18, side * 20)
        p.oval("body", 50 + side * 42, 93, 13, 5)
        p.oval("body", 50 + side * 22, 26, 14)
    p.blob("body", 14, 50, 26, 30, 74, 30, 86, 50, 78, 84, 62, 95, 38, 95, 22, 84)
    p.oval("light", 50, 78, 24, 16)
    for side in (-1, 1):
        p.eye(50 + side * 22, 25, 9)
        p.oval("body", 50 + side * 14, 95, 9, 4)
    p.curve(INK, 3, 22, 50, 34, 59, 50, 61, 66, 59, 78, 50)


def _snake(p: Pen) -> None:
    p.curve("dark", 13, 6, 88, 20, 96, 60, 96, 88, 90, 84, 78, 60, 76, 30, 74)
    p.curve("body", 14, 60, 77, 30, 76, 16, 64, 30, 54, 52, 54, 66, 46, 64, 30, 68, 18)
    for x, y in ((18, 66), (28, 55), (42, 54), (56, 54), (66, 44), (65, 32)):
        p.oval("light", x, y, 4)
    p.line((230, 30, 60), 2.5, 90, 18, 102, 16)
    p.line((230, 30, 60), 2.5, 97, 17, 104, 21)
    p.oval("body", 77, 16, 17, 11)
    p.eye(80, 12, 4)


def _snail(p: Pen) -> None:
    p.line(CREAM, 4, 84, 62, 82, 38)
    p.line(CREAM, 4, 92, 62, 98, 40)
    p.oval(INK, 82, 37, 4)
    p.oval(INK, 98, 39, 4)
    p.blob(CREAM, 0, 94, 20, 82, 66, 80, 80, 58, 98, 60, 98, 78, 84, 95, 40, 97)
    p.oval("body", 42, 52, 36)
    p.curve(
        "dark", 6, 72, 66, 48, 79, 22, 64, 24, 38, 48, 30, 62, 46, 54, 62, 40, 60, 40, 50, 47, 49
    )
    p.curve(INK, 2, 90, 80, 94, 77, 97, 72)


def _dinosaur(p: Pen) -> None:
    p.blob("body", 50, 62, 30, 88, 2, 92, 18, 72, 32, 44, 50, 36)
    p.poly("dark", 44, 70, 60, 66, 60, 92, 70, 97, 46, 97, 50, 86)
    p.blob(
        "body",
        34,
        56,
        46,
        34,
        58,
        12,
        76,
        2,
        98,
        6,
        103,
        18,
        98,
        26,
        78,
        28,
        74,
        48,
        66,
        72,
        46,
        78,
    )
    p.poly("body", 32, 66, 52, 66, 46, 90, 56, 97, 30, 97, 38, 86)
    p.blob("light", 72, 40, 74, 52, 66, 70, 56, 74, 62, 56)
    p.curve("dark", 5, 70, 46, 82, 50, 88, 44)
    p.line(SNOW, 4, 82, 20, 102, 20)
    for x, y in ((26, 60), (33, 46), (43, 34), (51, 20), (60, 8)):
        p.poly("dark", x - 6, y + 4, x - 7, y - 9, x + 5, y - 2)
    p.eye(80, 10, 4)


LAND: dict[str, Callable[[Pen], None]] = {
    "fox": _fox,
    "cat": _cat,
    "rabbit": _rabbit,
    "elephant": _elephant,
    "giraffe": _giraffe,
    "bear": _bear,
    "frog": _frog,
    "snake": _snake,
    "snail": _snail,
    "dinosaur": _dinosaur,
}
