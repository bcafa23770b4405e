"""Drawings of vehicles and buildings; vehicles drive to the right."""

from __future__ import annotations

from collections.abc import Callable

from unprompt_painter.draw.pen import CREAM, GLASS, GOLD, INK, SNOW, STEEL, WOOD, Pen


def _wheel(p: Pen, x: float, y: float, r: float) -> None:
    p.oval(INK, x, y, r)
    p.oval(STEEL, x, y, r * 0.5)


def _car(p: Pen) -> None:
    p.blob("body", 22, 52, 32, 30, 40, 26, 62, 26, 72, 34, 82, 52, 60, 58, 34, 58)
    p.blob("body", 2, 74, 4, 54, 22, 48, 80, 48, 104, 56, 106, 74, 90, 78, 14, 78)
    p.poly(GLASS, 31, 49, 37, 33, 50, 33, 50, 49)
    p.poly(GLASS, 55, 49, 55, 33, 63, 33, 73, 49)
    p.rect("dark", 4, 68, 105, 75)
    p.oval(GOLD, 101, 60, 4, 5)
    _wheel(p, 26, 76, 12)
    _wheel(p, 82, 76, 12)


def _sailboat(p: Pen) -> None:
    p.line(WOOD, 4, 50, 4, 50, 80)
    p.blob(SNOW, 54, 8, 80, 34, 92, 70, 72, 72, 54, 70)
    p.blob(CREAM, 46, 14, 30, 40, 12, 68, 30, 70, 46, 68)
    p.poly((220, 40, 50), 50, 2, 66, 6, 50, 11)
    p.poly("body", 2, 76, 100, 76, 86, 98, 18, 98)
    p.rect("dark", 6, 82, 94, 87)


def _rocket(p: Pen) -> None:
    p.poly((255, 120, 20), 38, 80, 62, 80, 56, 94, 50, 108, 44, 94)
    p.poly(GOLD, 44, 80, 56, 80, 50, 98)
    p.poly("dark", 34, 50, 14, 76, 16, 88, 36, 76)
    p.poly("dark", 66, 50, 86, 76, 84, 88, 64, 76)
    p.blob("body", 50, -6, 64, 16, 70, 46, 64, 78, 50, 82, 36, 78, 30, 46, 36, 16)
    p.blob((225, 45, 45), 50, -6, 61, 9, 64, 17, 50, 20, 36, 17, 39, 9)
    p.oval(STEEL, 50, 40, 12)
    p.oval(GLASS, 50, 40, 8.5)
    p.poly("dark", 47, 62, 53, 62, 53, 88, 47, 88)


def _train(p: Pen) -> None:
    for x, y, r in ((74, 10, 8), (62, 2, 10), (46, -2, 12)):
        p.oval((225, 225, 230), x, y, r)
    p.poly("dark", 74, 22, 90, 22, 86, 42, 78, 42)
    p.rect("body", 4, 24, 42, 76)
    p.rect((215, 45, 45), 0, 18, 46, 26)
    p.rect(GLASS, 11, 33, 35, 50)
    p.rect("body", 40, 42, 92, 72)
    p.oval("dark", 92, 57, 7, 15)
    p.rect(GOLD, 56, 41, 61, 73)
    p.oval(GOLD, 97, 50, 4.5)
    p.poly((215, 45, 45), 84, 76, 96, 76, 108, 94, 84, 94)
    p.rect((215, 45, 45), 2, 74, 94, 80)
    for x, r in ((20, 14), (48, 10), (70, 10)):
        _wheel(p, x, 96 - r, r)


def _bicycle(p: Pen) -> None:
    for x in (22, 80):
        p.ring(INK, 4, x, 70, 21)
        p.line(STEEL, 1.5, x - 19, 70, x + 19, 70)
        p.line(STEEL, 1.5, x, 51, x, 89)
    p.line("body", 6, 22, 70, 40, 38, 70, 38, 48, 70, 22, 70)
    p.line("body", 6, 40, 38, 48, 70)
    p.line("body", 6, 80, 70, 68, 26)
    p.line(INK, 4, 58, 24, 68, 24, 76, 30)
    p.line("body", 5, 39, 38, 36, 29)
    p.oval(INK, 36, 28, 11, 4)
    p.oval("dark", 48, 70, 6)


def _balloon(p: Pen) -> None:
    p.line(WOOD, 2, 30, 56, 41, 80)
    p.line(WOOD, 2, 70, 56, 59, 80)
    p.blob("body", 50, -2, 76, 6, 86, 28, 76, 52, 58, 68, 42, 68, 24, 52, 14, 28, 24, 6)
    p.blob("light", 50, -2, 62, 12, 64, 30, 60, 50, 55, 68, 45, 68, 40, 50, 36, 30, 38, 12)
    p.blob("body", 50, -2, 53, 30, 50, 68, 47, 30)
    p.poly("dark", 38, 65, 62, 65, 60, 71, 40, 71)
    p.rect(WOOD, 38, 80, 62, 98)
    p.rect((200, 150, 90), 37, 79, 63, 84)


def _airplane(p: Pen) -> None:
    p.poly("dark", 12, 52, -2, 18, 14, 18, 34, 48)
    p.poly("dark", 48, 46, 36, 20, 48, 20, 72, 46)
    p.blob("body", 2, 52, 20, 44, 60, 42, 92, 44, 106, 54, 96, 64, 60, 67, 24, 62)
    p.poly("light", 40, 58, 66, 58, 34, 90, 22, 90)
    p.poly("dark", 10, 54, 22, 54, 4, 68, -4, 68)
    for x in (38, 48, 58, 68, 78):
        p.oval((70, 120, 190), x, 51, 3)
    p.poly((70, 120, 190), 88, 46, 98, 50, 90, 52)


def _submarine(p: Pen) -> None:
    p.line(STEEL, 4, 52, 34, 52, 10, 64, 10)
    p.rect("dark", 38, 28, 66, 48)
    p.poly("dark", 14, 50, -4, 34, -4, 86, 14, 72)
    p.blob("body", 6, 62, 20, 44, 50, 40, 84, 44, 104, 62, 84, 80, 50, 84, 20, 80)
    for x in (34, 56, 78):
        p.oval(STEEL, x, 60, 8)
        p.oval(GLASS, x, 60, 5.5)
    p.line("dark", 3, 20, 76, 84, 76)


def _lighthouse(p: Pen) -> None:
    p.poly((255, 240, 150), 52, 14, 104, 2, 104, 26)
    p.poly("body", 34, 26, 66, 26, 74, 96, 26, 96)
    p.poly(SNOW, 32.5, 40, 67.5, 40, 69, 53, 31, 53)
    p.poly(SNOW, 29, 68, 71, 68, 72.5, 82, 27.5, 82)
    p.rect((255, 240, 150), 39, 8, 61, 26)
    p.line(INK, 2, 50, 8, 50, 26)
    p.rect(INK, 30, 24, 70, 29)
    p.poly("dark", 34, 9, 50, -8, 66, 9)
    p.rect(WOOD, 44, 84, 56, 97)


def _castle(p: Pen) -> None:
    for x in (12, 88):
        p.rect("body", x - 13, 26, x + 13, 96)
        p.poly("dark", x - 17, 27, x, 0, x + 17, 27)
        p.rect(INK, x - 4, 40, x + 4, 54)
    p.rect("body", 24, 50, 76, 96)
    for x in (24, 38, 52, 66):
        p.rect("body", x, 42, x + 9, 52)
    p.rect("body", 40, 22, 60, 60)
    p.poly("dark", 35, 24, 50, -4, 65, 24)
    p.rect(INK, 46, 32, 54, 44)
    p.pie(INK, 50, 80, 13, 15, 180, 360)
    p.rect(WOOD, 37, 79, 63, 96)


def _windmill(p: Pen) -> None:
    p.poly("body", 36, 34, 64, 34, 74, 98, 26, 98)
    p.pie("dark", 50, 35, 16, 18, 180, 360)
    p.rect(WOOD, 43, 80, 57, 98)
    p.oval(GLASS, 50, 62, 6)
    for dx, dy in ((1, -1), (1, 1), (-1, 1), (-1, -1)):
        x, y = 50 + dx * 34, 32 + dy * 34
        p.line(WOOD, 3, 50, 32, x, y)
        p.poly(
            SNOW,
            50 + dx * 10,
            32 + dy * 10,
            x,
            y,
            x - dy * 9,
            y + dx * 9,
            50 + dx * 10 - dy * 9,
            32 + dy * 10 + dx * 9,
        )
    p.oval(INK, 50, 32, 4)


VEHICLES: dict[str, Callable[[Pen], None]] = {
    "car": _car,
    "sailboat": _sailboat,
    "rocket": _rocket,
    "train": _train,
    "bicycle": _bicycle,
    "balloon": _balloon,
    "airplane": _airplane,
    "submarine": _submarine,
    "lighthouse": _lighthouse,
    "castle": _castle,
    "windmill": _windmill,
}
