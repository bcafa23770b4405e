"""Reads the steps of a drawing from YAML and carries them out.

Figures are drawn with the operations of ``figures.py``, on a field of about 100 by 100 units;
everything else with those of ``canvas.py``, in pixels. A drawing is a list of steps; each is a line
or a map:

- ``oval ink  50,54 2*r`` is an operation, or a motif of ``motifs.yaml``, with its values. A value
  is a number (a sum of products of numerals and names), a colour (hex digits or a name of
  ``palette.yaml``), a colour as three numbers in brackets, or a name: what it is bound to, or else
  the word itself. Commas and spaces part values.
- ``let: {x: 10..40}`` binds names for the steps after it, in order: ``a..b`` is a random number
  between two, ``whole a..b`` a random whole number, ``truncated a..b`` a random number without its
  fraction, ``a ~ b`` a random number within ``b`` of ``a``, a list one of its entries at random,
  anything else the number that it says.
- ``each: {x: [1, 2], paint: [ink, snow]}`` with ``draw`` carries out steps for each column;
  ``repeat: 9`` with ``draw`` carries them out for ``i`` = 0, 1, ..., 8; ``row: -10..256`` with
  ``draw`` sets things side by side: ``x`` grows by the ``width`` that the steps bind.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

from unprompt_painter.data import colour, load

Steps = Sequence[Any]
"""Steps as YAML holds them."""

Names = dict[str, Any]
"""What is bound while steps run: numbers, colours and words."""

Draw = Callable[..., None]
"""Carries out an operation: its name, then its values."""


def run(steps: Steps, draw: Draw, names: Names, rng: Random) -> None:
    """Carries out steps; ``names`` gains what they bind, ``rng`` is the source of randomness."""
    for step in steps:
        if isinstance(step, str):
            _operate(step, draw, names, rng)
        elif "let" in step:
            for name, value in step["let"].items():
                names[name] = _choose(value, names, rng)
        elif "each" in step:
            for row in zip(*step["each"].values(), strict=True):
                bound = dict(zip(step["each"], map(_constant, row), strict=True))
                run(step["draw"], draw, {**names, **bound}, rng)
        elif "repeat" in step:
            for i in range(step["repeat"]):
                run(step["draw"], draw, {**names, "i": i}, rng)
        else:
            x, end = map(float, step["row"].split(".."))
            while x < end:
                bound = {**names, "x": x}
                run(step["draw"], draw, bound, rng)
                x += bound["width"]


def _operate(step: str, draw: Draw, names: Names, rng: Random) -> None:
    operation, values, motif = _operation(step)
    filled = _filled(values, names, rng)
    if motif is None:
        draw(operation, *filled)
    else:
        run(motif["draw"], draw, dict(zip(motif["values"], filled, strict=True)), rng)


@cache
def _operation(step: str) -> tuple[str, list[Any], dict[str, Any] | None]:
    """Reads a step: its operation, the values, and the motif if it is one."""
    operation, _, rest = step.partition(" ")
    values = [_value(text) for text in re.findall(r"\([^)]*\)|[^\s,]+", rest)]
    return operation, values, load("motifs").get(operation)


def _choose(value: float | str | list[Any], names: Names, rng: Random) -> Any:
    """Returns what ``let`` binds to a name."""
    if isinstance(value, list):
        return _constant(rng.choice(value))
    read = _value(str(value))
    return read(names, rng) if callable(read) else read


def _filled(values: Sequence[Any], names: Names, rng: Random) -> list[Any]:
    return [value(names, rng) if callable(value) else value for value in values]


@cache
def _value(text: str) -> Any:
    """Reads a value: a constant, or a function of the bound names and the source of randomness."""
    for form, pick in _RANDOM.items():
        if match := re.fullmatch(form, text):
            ends = [_value(end) for end in match.groups()]
            if not any(map(callable, ends)):
                return lambda names, rng: pick(rng, *ends)
            return lambda names, rng: pick(rng, *_filled(ends, names, rng))
    if text.startswith("("):
        parts = [_value(part) for part in text[1:-1].split(",")]
        return lambda names, rng: tuple(map(round, _filled(parts, names, rng)))
    constant = _constant(text)
    if constant != text:
        return constant
    if text.isidentifier():
        return lambda names, rng: names.get(text, text)
    return _sum(text)


_RANDOM: dict[str, Callable[..., float]] = {
    r"whole (.+)\.\.(.+)": lambda rng, low, high: rng.randint(int(low), int(high)),
    r"truncated (.+)\.\.(.+)": lambda rng, low, high: int(rng.uniform(low, high)),
    r"(.+?)\.\.(.+)": Random.uniform,
    r"(.+) ~ (.+)": lambda rng, middle, reach: middle + rng.uniform(-reach, reach),
}


@cache
def _constant(item: float | str) -> Any:
    """Returns a number, the colour that a word names, or else the word itself."""
    try:
        return colour(item) if isinstance(item, str) else item
    except ValueError:
        return item


def _sum(text: str) -> float | Callable[[Names, Random], float]:
    """Reads a sum of products, as in ``50+22*side``."""
    constant = 0.0
    terms: list[tuple[float, list[str]]] = []
    for sign, product in re.findall(r"([+-]?)([^+-]+)", text):
        names = [part for part in product.split("*") if part.isidentifier()]
        factors = [float(part) for part in product.split("*") if part not in names]
        factor = math.prod(factors, start=-1.0 if sign == "-" else 1.0)
        if names:
            terms.append((factor, names))
        else:
            constant += factor

    def total(bound: Names, rng: Random) -> float:
        result = constant
        for product, names in terms:
            for name in names:
                product *= bound[name]
            result += product
        return result

    return total if terms else constant
