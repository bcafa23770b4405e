"""Drawings of birds, sea animals and a butterfly, facing right where they have a front."""

from __future__ import annotations

from collections.abc import Callable

from unprompt_painter.draw.pen import BEAK, GLASS, INK, SNOW, Pen


def _owl(p: Pen) -> None:
    p.poly("dark", 22, 24, 18, 0, 46, 14)
    p.poly("dark", 54, 14, 82, 0, 78, 24)
    p.blob("body", 20, 30, 34, 12, 66, 12, 80, 30, 80, 70, 66, 94, 34, 94, 20, 70)
    p.oval("light", 50, 70, 20, 22)
    for x, y in ((42, 62), (50, 62), (58, 62), (46, 71), (54, 71), (42, 80), (50, 80), (58, 80)):
        p.line("dark", 2.5, x - 3, y, x, y + 4, x + 3, y)
    p.blob("dark", 20, 44, 10, 60, 16, 84, 28, 88, 30, 60)
    p.blob("dark", 80, 44, 90, 60, 84, 84, 72, 88, 70, 60)
    for x in (36, 64):
        p.oval(SNOW, x, 34, 14)
        p.oval((250, 190, 30), x, 34, 9)
        p.oval(INK, x, 34, 5.5)
    p.poly(BEAK, 44, 40, 56, 40, 50, 52)
    for x in (40, 60):
        p.oval(BEAK, x, 95, 8, 4)


def _penguin(p: Pen) -> None:
    p.oval(BEAK, 38, 95, 12, 5)
    p.oval(BEAK, 62, 95, 12, 5)
    p.blob("dark", 28, 40, 12, 62, 12, 76, 26, 66)
    p.blob("dark", 72, 40, 88, 62, 88, 76, 74, 66)
    p.blob("body", 36, 6, 50, 0, 64, 6, 72, 34, 76, 70, 66, 92, 34, 92, 24, 70, 28, 34)
    p.blob(SNOW, 38, 40, 50, 34, 62, 40, 66, 68, 58, 88, 42, 88, 34, 68)
    p.eye(42, 16, 5)
    p.eye(58, 16, 5)
    p.poly(BEAK, 42, 23, 58, 23, 50, 34)


def _duck(p: Pen) -> None:
    p.poly(BEAK, 86, 28, 106, 34, 104, 41, 84, 42)
    p.blob("body", 0, 44, 14, 54, 34, 56, 58, 56, 80, 58, 84, 74, 68, 92, 30, 94, 10, 78)
    p.oval("body", 72, 30, 20)
    p.blob("dark", 22, 64, 44, 60, 62, 68, 52, 82, 32, 80)
    p.eye(77, 24, 4.5)


def _flamingo(p: Pen) -> None:
    p.line(BEAK, 3, 44, 66, 44, 98)
    p.line(BEAK, 3, 52, 66, 62, 80, 46, 84)
    p.line(BEAK, 3, 42, 98, 52, 98)
    p.curve("body", 7, 60, 54, 74, 48, 76, 36, 62, 28, 58, 16, 66, 7)
    p.blob("body", 10, 62, 26, 46, 50, 44, 66, 52, 62, 66, 40, 72)
    p.blob("dark", 12, 62, 30, 52, 48, 54, 46, 64, 30, 68)
    p.oval("body", 70, 8, 10, 8)
    p.poly(INK, 76, 12, 82, 6, 88, 14, 84, 24)
    p.eye(71, 6, 3)


def _fish(p: Pen) -> None:
    p.blob("dark", 26, 50, 4, 22, 2, 36, 8, 50, 2, 66, 4, 80)
    p.blob("dark", 40, 30, 48, 10, 66, 12, 72, 28)
    p.blob("dark", 44, 70, 44, 88, 58, 84, 62, 70)
    p.blob("body", 20, 50, 40, 27, 66, 24, 88, 36, 98, 50, 88, 64, 66, 76, 40, 73)
    p.blob(SNOW, 58, 25, 68, 25, 65, 50, 68, 76, 58, 76, 55, 50)
    p.blob(SNOW, 36, 30, 43, 27, 40, 50, 43, 73, 36, 70, 33, 50)
    p.eye(82, 44, 6)
    p.curve(INK, 2, 97, 54, 91, 57, 88, 56)


def _whale(p: Pen) -> None:
    for x in (60, 66, 72, 78, 84):
        p.curve(GLASS, 3.5, 72, 32, (72 + x) / 2, 14, x + (x - 72) * 0.7, 18 + abs(x - 72))
    p.blob("dark", 14, 52, 2, 40, -6, 22, 10, 26, 16, 34, 24, 24, 38, 20, 32, 38, 22, 54)
    p.blob("body", 10, 46, 24, 56, 42, 46, 70, 32, 96, 42, 102, 62, 92, 82, 60, 90, 26, 80)
    p.blob(SNOW, 34, 80, 60, 78, 84, 72, 102, 64, 92, 82, 60, 90)
    p.blob("dark", 52, 74, 62, 74, 60, 90, 46, 98, 44, 90)
    p.eye(82, 58, 4)


def _octopus(p: Pen) -> None:
    for side in (-1, 1):
        p.curve(
            "body",
            9,
            50 + side * 16,
            60,
            50 + side * 36,
            62,
            50 + side * 44,
            76,
            50 + side * 36,
            84,
        )
        p.curve(
            "dark",
            9,
            50 + side * 12,
            62,
            50 + side * 26,
            76,
            50 + side * 30,
            92,
            50 + side * 40,
            96,
        )
        p.curve(
            "body", 9, 50 + side * 6, 62, 50 + side * 12, 80, 50 + side * 8, 92, 50 + side * 16, 98
        )
    p.blob("body", 28, 60, 20, 34, 30, 10, 50, 2, 70, 10, 80, 34, 72, 60, 50, 68)
    p.oval("light", 40, 16, 7, 5, -30)
    p.eye(38, 44, 8)
    p.eye(62, 44, 8)
    p.curve(INK, 2.5, 42, 58, 50, 61, 58, 58)


def _crab(p: Pen) -> None:
    for side in (-1, 1):
        for dx, dy in ((44, 66), (44, 80), (36, 92)):
            p.line("dark", 5, 50 + side * 24, 64, 50 + side * dx, dy - 8, 50 + side * (dx + 4), dy)
        p.curve("body", 8, 50 + side * 28, 52, 50 + side * 44, 44, 50 + side * 40, 28)
        x = 50 + side * 38
        p.poly(
            "body", x - side * 10, 30, x - side * 16, 6, x, 18, x + side * 14, 2, x + side * 14, 26
        )
        p.line("dark", 3, 50 + side * 10, 46, 50 + side * 12, 32)
        p.eye(50 + side * 12, 29, 6)
    p.blob("body", 14, 62, 26, 44, 50, 40, 74, 44, 86, 62, 72, 80, 50, 84, 28, 80)
    p.curve(INK, 2.5, 38, 66, 50, 71, 62, 66)


def _turtle(p: Pen) -> None:
    skin = (150, 190, 110)
    p.poly(skin, 8, 76, 0, 86, 18, 80)
    p.oval(skin, 28, 86, 9, 11)
    p.oval(skin, 66, 86, 9, 11)
    p.curve(skin, 13, 74, 74, 86, 66, 90, 52)
    p.oval(skin, 93, 48, 12, 10)
    p.eye(96, 45, 3.6)
    p.pie("body", 46, 78, 40, 50, 180, 360)
    p.rect("dark", 5, 75, 87, 82)
    for x, y in ((46, 42), (26, 56), (66, 56), (46, 62)):
        p.poly("light", x - 8, y, x - 4, y - 7, x + 4, y - 7, x + 8, y, x + 4, y + 7, x - 4, y + 7)


def _butterfly(p: Pen) -> None:
    for side in (-1, 1):
        p.blob(
            "body",
            50,
            46,
            50 + side * 18,
            12,
            50 + side * 46,
            2,
            50 + side * 50,
            24,
            50 + side * 34,
            48,
        )
        p.blob(
            "dark",
            50,
            52,
            50 + side * 32,
            50,
            50 + side * 42,
            70,
            50 + side * 26,
            92,
            50 + side * 10,
            80,
        )
        p.oval("light", 50 + side * 34, 22, 8)
        p.oval(SNOW, 50 + side * 26, 68, 6)
        p.curve(INK, 2, 50, 30, 50 + side * 6, 14, 50 + side * 14, 6)
    p.oval(INK, 50, 56, 4.5, 26)
    p.oval(INK, 50, 29, 6)


WATER: dict[str, Callable[[Pen], None]] = {
    "owl": _owl,
    "penguin": _penguin,
    "duck": _duck,
    "flamingo": _flamingo,
    "fish": _fish,
    "whale": _whale,
    "octopus": _octopus,
    "crab": _crab,
    "turtle": _turtle,
    "butterfly": _butterfly,
}
