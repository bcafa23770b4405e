"""The steps of a drawing: what the YAML of figures and places says, read and carried out.

A drawing is a list of steps. A step is a line or a map:

- ``oval ink  50,54 2*r`` is an operation, a colour and numbers. Points are pairs of numbers; a
  number is a sum of products of figures and names. A colour is a name of the palette, hex digits,
  a name that a loop or a motif binds, or red, green and blue as three numbers. Operations are
  those of the pen in use or motifs of ``motifs.yaml``.
- ``let: {x: 10..40}`` binds names for the steps after it, in order: ``a..b`` is a random number
  between two, ``a ~ b`` one within ``b`` of ``a``, ``whole a..b`` a random whole number,
  ``truncated a..b`` a random number without its fraction, a list one of its entries, anything else
  the number that it says.
- ``each: {x: [1, 2], paint: [ink, snow]}`` with ``draw`` carries out steps for each column;
  ``repeat: 9`` with ``draw`` carries them out for ``i`` = 0, 1, ..., 8; ``row: -10..256`` with
  ``draw`` sets things side by side: ``x`` grows by the ``width`` that the steps bind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, Protocol

from unprompt_painter.data import Colour, colour, load

Paint = str | Colour
"""A colour, or the name of one that only the pen knows (``body``)."""

Names = dict[str, Any]
"""What is bound while steps run: numbers and paints."""


class Pen(Protocol):
    """Draws or records single shapes."""

    def draw(self, operation: str, paint: Paint, numbers: Sequence[float]) -> None:
        """Carries out one operation."""


class Step(Protocol):
    """One step of a drawing."""

    def run(self, pen: Pen, names: Names, rng: Random) -> None:
        """Carries the step out; ``names`` may gain names."""


@dataclass(frozen=True)
class Number:
    """A sum of products, as in ``50+22*side``."""

    constant: float
    terms: tuple[tuple[float, tuple[str, ...]], ...]

    def value(self, names: Names) -> float:
        """Returns the number under some names."""
        total = self.constant
        for factor, factors in self.terms:
            for name in factors:
                factor *= names[name]
            total += factor
        return total


@cache
def number(text: str) -> Number:
    """Reads a number."""
    constant, terms = 0.0, []
    for sign, product in re.findall(r"([+-]?)([^+-]+)", text):
        factor = -1.0 if sign == "-" else 1.0
        names = []
        for part in product.strip().split("*"):
            if part.isidentifier():
                names.append(part)
            else:
                factor *= float(part)
        if names:
            terms.append((factor, tuple(names)))
        else:
            constant += factor
    return Number(constant, tuple(terms))


@dataclass(frozen=True)
class Motif:
    """Steps that a shape stands for, and the names of the shape's numbers in them."""

    numbers: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Shape:
    """An operation of the pen, or a motif, with its paint and numbers."""

    operation: str
    paint: Paint | tuple[Number, ...]
    numbers: tuple[Number, ...]
    motif: Motif | None

    def run(self, pen: Pen, names: Names, rng: Random) -> None:
        """Draws it."""
        paint: Any = self.paint
        if isinstance(paint, str):
            paint = names.get(paint, paint)
        elif isinstance(paint[0], Number):
            paint = tuple(round(part.value(names)) for part in paint)
        values = [part.value(names) for part in self.numbers]
        if self.motif is None:
            pen.draw(self.operation, paint, values)
        else:
            named = dict(zip(self.motif.numbers, values, strict=True))
            run(self.motif.steps, pen, {"paint": paint, **named}, rng)


@dataclass(frozen=True)
class Let:
    """Binds a name for the steps after it."""

    name: str
    choose: Callable[[Names, Random], Any]

    def run(self, pen: Pen, names: Names, rng: Random) -> None:
        """Binds it."""
        names[self.name] = self.choose(names, rng)


@dataclass(frozen=True)
class Loop:
    """Steps that are carried out once for each row of names."""

    rows: tuple[Names, ...]
    steps: tuple[Step, ...]

    def run(self, pen: Pen, names: Names, rng: Random) -> None:
        """Carries them out."""
        for row in self.rows:
            run(self.steps, pen, {**names, **row}, rng)


@dataclass(frozen=True)
class Row:
    """Steps that are carried out along a line, each time one ``width`` further to the right."""

    start: float
    end: float
    steps: tuple[Step, ...]

    def run(self, pen: Pen, names: Names, rng: Random) -> None:
        """Carries them out."""
        x = self.start
        while x < self.end:
            inner = {**names, "x": x}
            run(self.steps, pen, inner, rng)
            x += inner["width"]


def run(steps: Sequence[Step], pen: Pen, names: Names, rng: Random) -> None:
    """Carries out steps.

    Args:
        steps: What ``read`` returned.
        pen: Draws the shapes.
        names: What is bound before the first step; gains what ``let`` binds.
        rng: Source of all randomness.
    """
    for step in steps:
        step.run(pen, names, rng)


def read(data: Sequence[Any]) -> tuple[Step, ...]:
    """Reads the steps of a drawing.

    Args:
        data: The list of steps as YAML holds it.

    Raises:
        ValueError: A step is none of those that this module's first lines list.
    """
    return tuple(step for entry in data for step in _steps(entry))


@cache
def drawing(name: str) -> tuple[Step, ...]:
    """Returns the steps of a data file that holds nothing else, read once in a process."""
    return read(load(name))


def _steps(entry: str | dict[str, Any]) -> list[Step]:
    if isinstance(entry, str):
        return [_shape(entry)]
    if "each" in entry:
        columns = {name: [_value(item) for item in items] for name, items in entry["each"].items()}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return [Loop(tuple(rows), read(entry["draw"]))]
    if "repeat" in entry:
        return [Loop(tuple({"i": i} for i in range(entry["repeat"])), read(entry["draw"]))]
    if "row" in entry:
        start, end = map(float, entry["row"].split(".."))
        return [Row(start, end, read(entry["draw"]))]
    return [Let(name, _choice(text)) for name, text in entry["let"].items()]


def _shape(line: str) -> Shape:
    operation, paint, *rest = line.split()
    numbers = tuple(number(text) for text in ",".join(rest).split(",")) if rest else ()
    motif = _motif(operation) if operation in load("motifs") else None
    return Shape(operation, _paint(paint), numbers, motif)


@cache
def _motif(name: str) -> Motif:
    entry = load("motifs")[name]
    return Motif(tuple(entry["numbers"]), read(entry["draw"]))


def _paint(word: str) -> Paint | tuple[Number, ...]:
    if "," in word:
        return tuple(number(part) for part in word.split(","))
    try:
        return colour(word)
    except ValueError:
        return word


def _value(item: float | str) -> Any:
    return _paint(item) if isinstance(item, str) else item


def _choice(text: Any) -> Callable[[Names, Random], Any]:
    """Reads what ``let`` binds to a name."""
    if isinstance(text, list):
        values = [_value(item) for item in text]
        return lambda names, rng: rng.choice(values)
    if spread := re.fullmatch(r"(.+) ~ (.+)", str(text)):
        middle, reach = map(number, spread.groups())
        return lambda names, rng: _near(rng, middle.value(names), reach.value(names))
    if ends := re.fullmatch(r"(whole |truncated )?(.+?)\.\.(.+)", str(text)):
        low, high = number(ends[2]), number(ends[3])
        pick = _PICKS[ends[1]]
        return lambda names, rng: pick(rng, low.value(names), high.value(names))
    return lambda names, rng, only=number(str(text)): only.value(names)


def _near(rng: Random, middle: float, reach: float) -> float:
    return middle + rng.uniform(-reach, reach)


_PICKS: dict[str | None, Callable[[Random, float, float], float]] = {
    None: Random.uniform,
    "whole ": lambda rng, low, high: rng.randint(int(low), int(high)),
    "truncated ": lambda rng, low, high: int(rng.uniform(low, high)),
}
