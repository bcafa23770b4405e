"""Drawings of plants and household things."""

from __future__ import annotations

import math
from collections.abc import Callable

from unprompt_painter.draw.pen import CREAM, GLASS, GOLD, INK, LEAF, SNOW, STEEL, WOOD, Pen


def _umbrella(p: Pen) -> None:
    p.curve(WOOD, 5, 50, 40, 50, 86, 54, 96, 63, 95, 66, 86)
    p.line(INK, 3, 50, 10, 50, 0)
    p.pie("body", 50, 50, 48, 44, 180, 360)
    p.pie("light", 50, 50, 17, 44, 180, 360)
    for x in (10, 26, 42, 58, 74, 90):
        p.pie("dark", x, 51, 8, 6, 180, 360)


def _teapot(p: Pen) -> None:
    p.curve("dark", 8, 22, 46, 4, 44, 4, 66, 20, 76)
    p.blob("body", 72, 66, 84, 48, 90, 32, 104, 30, 100, 40, 92, 66, 76, 84)
    p.blob("body", 16, 60, 28, 36, 50, 30, 72, 36, 84, 60, 72, 88, 50, 92, 28, 88)
    p.rect("dark", 32, 88, 68, 95)
    p.oval("dark", 50, 33, 20, 6)
    p.oval("body", 50, 24, 6)
    p.oval("light", 50, 62, 17, 13)
    p.oval(SNOW, 50, 62, 7)


def _guitar(p: Pen) -> None:
    p.poly(WOOD, 44, -8, 56, -8, 57, 8, 43, 8)
    p.rect(INK, 45.5, 6, 54.5, 52)
    p.blob(
        "body",
        34,
        44,
        50,
        42,
        66,
        44,
        68,
        56,
        64,
        64,
        76,
        76,
        72,
        94,
        50,
        100,
        28,
        94,
        24,
        76,
        36,
        64,
        32,
        56,
    )
    p.oval(INK, 50, 66, 9)
    p.rect("dark", 38, 84, 62, 89)
    p.rect(INK, 45.5, 40, 54.5, 58)
    for x in (48, 52):
        p.line(CREAM, 1.2, x, 0, x, 86)


def _lamp(p: Pen) -> None:
    p.poly((255, 244, 170), 26, 50, 74, 50, 60, 60, 40, 60)
    p.rect(STEEL, 46, 50, 54, 90)
    p.blob(WOOD, 42, 66, 50, 60, 58, 66, 60, 80, 50, 88, 40, 80)
    p.poly("body", 34, 4, 66, 4, 86, 50, 14, 50)
    p.poly("light", 44, 4, 56, 4, 60, 50, 40, 50)
    p.oval(WOOD, 50, 94, 22, 6)
    p.line(INK, 1.5, 66, 52, 66, 68)
    p.oval(GOLD, 66, 70, 3)


def _clock(p: Pen) -> None:
    p.line(STEEL, 6, 30, 84, 20, 98)
    p.line(STEEL, 6, 70, 84, 80, 98)
    p.oval("dark", 26, 14, 15, 11, -35)
    p.oval("dark", 74, 14, 15, 11, 35)
    p.rect(STEEL, 47, 4, 53, 14)
    p.oval("body", 50, 54, 40)
    p.oval(SNOW, 50, 54, 30)
    for hour in range(12):
        angle = math.radians(hour * 30)
        p.oval(INK, 50 + 25 * math.cos(angle), 54 + 25 * math.sin(angle), 2)
    p.line(INK, 4, 50, 54, 50, 34)
    p.line(INK, 4, 50, 54, 64, 62)


def _crown(p: Pen) -> None:
    p.poly("body", 8, 86, 0, 26, 26, 52, 50, 12, 74, 52, 100, 26, 92, 86)
    p.rect("dark", 8, 72, 92, 88)
    for x, y in ((0, 24), (50, 11), (100, 24)):
        p.oval((230, 50, 80), x, y, 7)
    for x, paint in ((26, (60, 160, 240)), (50, (230, 50, 80)), (74, (60, 160, 240))):
        p.oval(paint, x, 80, 6)
    p.poly("light", 26, 66, 50, 30, 74, 66)


def _key(p: Pen) -> None:
    for x, y in ((50, 14), (36, 32), (64, 32)):
        p.ring("body", 10, x, y, 11)
    p.line("body", 11, 50, 46, 50, 96)
    p.rect("body", 50, 72, 76, 82)
    p.rect("body", 50, 88, 70, 99)
    p.rect("dark", 41, 48, 59, 55)


def _mushroom(p: Pen) -> None:
    p.blob(CREAM, 38, 50, 62, 50, 64, 78, 70, 96, 50, 98, 30, 96, 36, 78)
    p.blob("body", 2, 54, 8, 26, 30, 6, 50, 3, 70, 6, 92, 26, 98, 54, 74, 60, 50, 61, 26, 60)
    for x, y, r in ((50, 22, 9), (26, 36, 8), (74, 36, 8), (48, 46, 6), (88, 50, 4), (12, 50, 4)):
        p.oval(SNOW, x, y, r, r * 0.85)


def _cactus(p: Pen) -> None:
    p.line("body", 17, 50, 12, 50, 76)
    p.curve("body", 13, 50, 58, 26, 56, 20, 46, 20, 30)
    p.curve("body", 13, 50, 48, 74, 46, 80, 36, 80, 20)
    for x in (46, 54):
        p.line("dark", 2, x, 10, x, 74)
    p.line("dark", 2, 20, 30, 20, 44)
    p.line("dark", 2, 80, 20, 80, 36)
    p.oval((250, 110, 170), 50, 4, 7, 5)
    p.poly((190, 100, 60), 30, 74, 70, 74, 64, 98, 36, 98)
    p.rect((160, 80, 46), 27, 72, 73, 79)


def _tree(p: Pen) -> None:
    p.poly(WOOD, 43, 56, 57, 56, 60, 90, 68, 98, 32, 98, 40, 90)
    p.line(WOOD, 5, 50, 70, 66, 56)
    p.blob(
        "body",
        10,
        56,
        4,
        38,
        20,
        26,
        24,
        10,
        44,
        2,
        66,
        4,
        80,
        16,
        90,
        32,
        96,
        50,
        82,
        62,
        64,
        60,
        50,
        66,
        34,
        62,
    )
    for x, y, r in ((32, 28, 11), (62, 20, 9), (74, 44, 11), (40, 48, 9)):
        p.pie("light", x, y, r, r * 0.8, 180, 360)


def _flower(p: Pen) -> None:
    p.curve(LEAF, 6, 50, 40, 52, 70, 50, 98)
    p.blob(LEAF, 50, 86, 62, 68, 82, 64, 74, 80)
    p.blob(LEAF, 50, 92, 38, 76, 18, 72, 28, 88)
    for step in range(8):
        angle = math.radians(step * 45)
        p.oval(
            "body" if step % 2 else "light",
            50 + 20 * math.cos(angle),
            30 + 20 * math.sin(angle),
            15,
            8,
            step * 45,
        )
    p.oval(GOLD, 50, 30, 11)


def _chair(p: Pen) -> None:
    for x in (28, 66):
        p.rect("dark", x, 62, x + 7, 88)
    for x in (22, 70):
        p.rect("body", x, 0, x + 8, 62)
    for y in (6, 22, 38):
        p.rect("body", 26, y, 74, y + 9)
    p.poly("light", 20, 56, 80, 56, 90, 68, 10, 68)
    p.rect("body", 10, 67, 90, 74)
    for x in (12, 80):
        p.rect("body", x, 72, x + 8, 99)


def _apple(p: Pen) -> None:
    p.blob(
        "body",
        50,
        28,
        70,
        22,
        90,
        34,
        92,
        60,
        74,
        92,
        58,
        96,
        50,
        93,
        42,
        96,
        26,
        92,
        8,
        60,
        10,
        34,
        30,
        22,
    )
    p.curve(WOOD, 5, 50, 30, 50, 16, 56, 4)
    p.blob(LEAF, 54, 18, 68, 2, 90, 4, 78, 20)
    p.oval("light", 27, 46, 7, 13, 20)


def _pumpkin(p: Pen) -> None:
    p.poly(LEAF, 44, 26, 46, 6, 60, 2, 56, 26)
    for x, rx, paint in ((20, 20, "dark"), (80, 20, "dark"), (34, 22, "body"), (66, 22, "body")):
        p.oval(paint, x, 60, rx, 34)
    p.oval("body", 50, 60, 20, 37)
    for x in (30, 70):
        p.poly(INK, x - 10, 54, x, 38, x + 10, 54)
    p.poly(INK, 46, 64, 50, 56, 54, 64)
    p.poly(INK, 20, 68, 34, 74, 40, 70, 50, 76, 60, 70, 66, 74, 80, 68, 66, 86, 50, 88, 34, 86)


def _cake(p: Pen) -> None:
    for x in (34, 50, 66):
        p.rect(GLASS, x - 2.5, 8, x + 2.5, 26)
        p.oval((255, 140, 20), x, 3, 3.5, 6)
    p.rect("body", 26, 26, 74, 54)
    p.rect("body", 10, 54, 90, 92)
    p.blob(SNOW, 24, 26, 76, 26, 76, 36, 68, 40, 62, 34, 54, 42, 46, 34, 38, 41, 30, 35, 24, 38)
    p.blob(
        SNOW, 8, 54, 92, 54, 92, 64, 82, 70, 74, 62, 62, 71, 50, 62, 38, 71, 26, 62, 18, 70, 8, 64
    )
    p.rect("dark", 10, 80, 90, 85)
    p.oval(STEEL, 50, 94, 50, 4)


def _candle(p: Pen) -> None:
    p.blob((255, 130, 20), 50, -8, 60, 12, 58, 24, 50, 28, 42, 24, 40, 12)
    p.blob(GOLD, 50, 6, 55, 18, 50, 26, 45, 18)
    p.line(INK, 2.5, 50, 22, 50, 34)
    p.rect("body", 36, 34, 64, 88)
    p.blob("light", 35, 34, 65, 34, 65, 44, 60, 56, 55, 42, 46, 46, 42, 62, 38, 46)
    p.oval(GOLD, 50, 92, 30, 7)
    p.ring(GOLD, 5, 84, 86, 8)


def _anchor(p: Pen) -> None:
    p.ring("body", 7, 50, 12, 10)
    p.line("body", 10, 50, 22, 50, 90)
    p.line("body", 9, 28, 36, 72, 36)
    p.curve("body", 10, 10, 66, 18, 82, 34, 92, 50, 94, 66, 92, 82, 82, 90, 66)
    p.poly("body", 0, 72, 8, 52, 24, 70)
    p.poly("body", 76, 70, 92, 52, 100, 72)


THINGS: dict[str, Callable[[Pen], None]] = {
    "umbrella": _umbrella,
    "teapot": _teapot,
    "guitar": _guitar,
    "lamp": _lamp,
    "clock": _clock,
    "crown": _crown,
    "key": _key,
    "mushroom": _mushroom,
    "cactus": _cactus,
    "tree": _tree,
    "flower": _flower,
    "chair": _chair,
    "apple": _apple,
    "pumpkin": _pumpkin,
    "cake": _cake,
    "candle": _candle,
    "anchor": _anchor,
}
