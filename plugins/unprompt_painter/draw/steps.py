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

Names = dict[str, Any]
"""What is bound while steps run: numbers, colours and words."""

Draw = Callable[..., None]
"""Carries out an operation: its name, then its values."""

Step = Callable[[Draw, Names, Random], None]
"""Draws something, or binds names."""


def run(steps: Sequence[Step], draw: Draw, names: Names, rng: Random) -> None:
    """Carries out steps; ``names`` gains what they bind, ``rng`` is the source of randomness."""
    for step in steps:
        step(draw, names, rng)


@cache
def drawing(name: str) -> Sequence[Step]:
    """Returns the steps of a data file that holds nothing else (read once in a process)."""
    return read(load(name))


def read(entries: Sequence[Any]) -> Sequence[Step]:
    """Reads the steps of a drawing from a list as YAML holds it."""
    return [_step(entry) for entry in entries]


def _step(entry: str | dict[str, Any]) -> Step:
    if isinstance(entry, str):
        return _operation(*entry.split(None, 1))
    if "let" in entry:
        return _let({name: _choice(text) for name, text in entry["let"].items()})
    inner = read(entry["draw"])
    if "row" in entry:
        start, end = map(float, entry["row"].split(".."))
        return _row(start, end, inner)
    columns = entry.get("each") or {"i": range(entry["repeat"])}
    rows = zip(*(map(_constant, column) for column in columns.values()), strict=True)
    return _loop([dict(zip(columns, row, strict=True)) for row in rows], inner)


def _operation(operation: str, rest: str = "") -> Step:
    values = [_value(text) for text in re.findall(r"\([^)]*\)|[^\s,]+", rest)]
    readers = [(index, value) for index, value in enumerate(values) if callable(value)]
    motif = _motif(operation) if operation in load("motifs") else None

    def step(draw: Draw, names: Names, rng: Random) -> None:
        filled = values.copy() if readers else values
        for index, reader in readers:
            filled[index] = reader(names)
        if motif is None:
            draw(operation, *filled)
        else:
            run(motif[1], draw, dict(zip(motif[0], filled, strict=True)), rng)

    return step


@cache
def _motif(name: str) -> tuple[Sequence[str], Sequence[Step]]:
    entry = load("motifs")[name]
    return entry["values"], read(entry["draw"])


def _let(choices: dict[str, Callable[[Names, Random], Any]]) -> Step:
    def step(draw: Draw, names: Names, rng: Random) -> None:
        for name, choose in choices.items():
            names[name] = choose(names, rng)

    return step


def _loop(rows: Sequence[Names], inner: Sequence[Step]) -> Step:
    def step(draw: Draw, names: Names, rng: Random) -> None:
        for row in rows:
            run(inner, draw, {**names, **row}, rng)

    return step


def _row(start: float, end: float, inner: Sequence[Step]) -> Step:
    def step(draw: Draw, names: Names, rng: Random) -> None:
        x = start
        while x < end:
            bound = {**names, "x": x}
            run(inner, draw, bound, rng)
            x += bound["width"]

    return step


def _choice(text: Any) -> Callable[[Names, Random], Any]:
    """Reads what ``let`` binds to a name."""
    if isinstance(text, list):
        items = [_constant(item) for item in text]
        return lambda names, rng: rng.choice(items)
    forms = [(re.fullmatch(form, str(text)), pick) for form, pick in _CHOICES.items()]
    match, pick = next((match, pick) for match, pick in forms if match)
    ends = [_value(end) for end in match.groups()]
    if not any(map(callable, ends)):
        return lambda names, rng: pick(rng, *ends)
    return lambda names, rng: pick(rng, *[end(names) if callable(end) else end for end in ends])


_CHOICES: dict[str, Callable[..., float]] = {
    r"whole (.+)\.\.(.+)": lambda rng, low, high: rng.randint(int(low), int(high)),
    r"truncated (.+)\.\.(.+)": lambda rng, low, high: int(rng.uniform(low, high)),
    r"(.+?)\.\.(.+)": Random.uniform,
    r"(.+) ~ (.+)": lambda rng, middle, reach: middle + rng.uniform(-reach, reach),
    r"(.+)": lambda rng, number: number,
}


def _value(text: str) -> Any:
    """Reads a value: itself, or a function of the bound names."""
    if text.startswith("("):
        parts = [_value(part) for part in text[1:-1].split(",")]
        return lambda names: tuple(round(part(names)) for part in parts)
    constant = _constant(text)
    if constant != text:
        return constant
    if text.isidentifier():
        return lambda names: names.get(text, text)
    return _sum(text)


def _constant(item: float | str) -> Any:
    """Returns a number, the colour that a word names, or else the word itself."""
    try:
        return colour(item) if isinstance(item, str) else float(item)
    except ValueError:
        return item


def _sum(text: str) -> float | Callable[[Names], float]:
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

    def total(bound: Names) -> float:
        result = constant
        for product, names in terms:
            for name in names:
                product *= bound[name]
            result += product
        return result

    return total if terms else constant
