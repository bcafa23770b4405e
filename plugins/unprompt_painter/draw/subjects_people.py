"""Drawings of characters: robots, dragons, ghosts and the like."""

from __future__ import annotations

from collections.abc import Callable

from unprompt_painter.draw.pen import BEAK, CREAM, GOLD, INK, SNOW, STEEL, WOOD, Pen


def _dragon(p: Pen) -> None:
    p.blob("dark", 44, 48, 24, 8, 0, 0, 10, 22, 2, 30, 16, 38, 12, 50, 36, 58)
    p.blob("body", 34, 84, 14, 90, 4, 74, 0, 58, 10, 68, 22, 72, 34, 64)
    p.poly("dark", -6, 62, -2, 44, 10, 58)
    p.blob("body", 30, 74, 36, 56, 56, 50, 60, 30, 70, 16, 80, 22, 76, 44, 72, 70, 60, 84, 40, 86)
    p.blob("light", 60, 56, 72, 46, 70, 68, 58, 82, 54, 70)
    for x in (38, 58):
        p.poly("body", x - 6, 76, x + 8, 76, x + 10, 97, x - 6, 97)
    p.poly(CREAM, 66, 16, 54, -2, 74, 10)
    p.blob("body", 64, 14, 78, 8, 98, 20, 98, 28, 78, 32, 66, 28)
    p.poly((255, 110, 20), 96, 24, 122, 14, 114, 24, 124, 32, 110, 32)
    p.poly(GOLD, 96, 25, 110, 21, 108, 29)
    p.eye(78, 16, 4)


def _robot(p: Pen) -> None:
    p.line(INK, 2.5, 50, 12, 50, 2)
    p.oval((240, 60, 50), 50, 2, 4)
    p.rect("body", 28, 10, 72, 40)
    p.rect(INK, 33, 17, 67, 31)
    p.oval((90, 250, 240), 42, 24, 5)
    p.oval((90, 250, 240), 58, 24, 5)
    p.rect(STEEL, 44, 40, 56, 46)
    for side in (-1, 1):
        p.line(STEEL, 8, 50 + side * 28, 50, 50 + side * 38, 60, 50 + side * 38, 72)
        p.oval("dark", 50 + side * 38, 74, 7)
        p.rect("dark", 50 + side * 13 - 7, 76, 50 + side * 13 + 7, 94)
        p.rect(INK, 50 + side * 14 - 10, 92, 50 + side * 14 + 10, 98)
    p.rect("body", 25, 45, 75, 80)
    p.rect("light", 34, 52, 66, 66)
    for x, paint in ((40, (240, 60, 50)), (50, GOLD), (60, (70, 200, 90))):
        p.oval(paint, x, 59, 3.5)


def _astronaut(p: Pen) -> None:
    p.rect(STEEL, 24, 40, 76, 72)
    for side in (-1, 1):
        p.line("body", 14, 50 + side * 16, 50, 50 + side * 32, 62, 50 + side * 36, 44)
        p.oval(STEEL, 50 + side * 36, 40, 7)
        p.line("body", 16, 50 + side * 11, 72, 50 + side * 14, 90)
        p.rect(STEEL, 50 + side * 15 - 10, 90, 50 + side * 15 + 10, 98)
    p.rect("body", 31, 42, 69, 80)
    p.rect("dark", 38, 56, 62, 68)
    p.oval((240, 60, 50), 45, 62, 3)
    p.oval((70, 160, 250), 55, 62, 3)
    p.oval("body", 50, 24, 26, 24)
    p.oval(INK, 50, 26, 19, 15)
    p.oval((90, 150, 220), 50, 26, 17, 13)
    p.oval(SNOW, 42, 20, 5, 3, -30)


def _snowman(p: Pen) -> None:
    p.line(WOOD, 3, 30, 54, 4, 40)
    p.line(WOOD, 3, 70, 54, 96, 40)
    p.oval("body", 50, 78, 30, 21)
    p.oval("body", 50, 52, 22, 18)
    p.oval("body", 50, 30, 17, 15)
    p.rect(INK, 30, 16, 70, 20)
    p.rect(INK, 37, -2, 63, 18)
    p.line((220, 40, 50), 6, 36, 41, 50, 44, 64, 41)
    p.line((220, 40, 50), 6, 60, 42, 62, 58)
    p.oval(INK, 43, 27, 2.6)
    p.oval(INK, 57, 27, 2.6)
    p.poly(BEAK, 49, 29, 49, 35, 68, 34)
    for y in (54, 70, 82):
        p.oval(INK, 50, y, 3)


def _ghost(p: Pen) -> None:
    p.curve("body", 10, 30, 52, 12, 54, 6, 42)
    p.curve("body", 10, 70, 52, 88, 54, 94, 42)
    p.blob(
        "body",
        26,
        86,
        22,
        40,
        34,
        10,
        50,
        3,
        66,
        10,
        78,
        40,
        76,
        86,
        80,
        98,
        68,
        92,
        60,
        98,
        50,
        91,
        40,
        98,
        32,
        92,
        20,
        98,
    )
    p.oval(INK, 40, 32, 6, 9)
    p.oval(INK, 60, 32, 6, 9)
    p.oval(INK, 50, 54, 7, 9)


def _wizard(p: Pen) -> None:
    p.line(WOOD, 4, 88, 26, 88, 98)
    p.oval((120, 220, 255), 88, 22, 8)
    p.poly("body", 36, 46, 64, 46, 80, 98, 18, 98)
    p.line("body", 11, 60, 54, 86, 62)
    p.line("dark", 11, 40, 54, 24, 74)
    p.oval((240, 200, 165), 50, 38, 14, 13)
    p.blob(SNOW, 36, 42, 50, 47, 64, 42, 60, 66, 50, 84, 40, 66)
    p.eye(44, 36, 3)
    p.eye(56, 36, 3)
    p.poly("body", 32, 28, 44, 4, 60, -6, 56, 8, 68, 28)
    p.oval("dark", 50, 28, 27, 5)
    p.oval(GOLD, 50, 16, 4)
    p.oval(GOLD, 30, 88, 3)
    p.oval(GOLD, 68, 84, 3)


PEOPLE: dict[str, Callable[[Pen], None]] = {
    "dragon": _dragon,
    "robot": _robot,
    "astronaut": _astronaut,
    "snowman": _snowman,
    "ghost": _ghost,
    "wizard": _wizard,
}
