"""The vocabulary of a prompt: ``data/words.yaml``, which says what the tables mean, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unprompt_painter.data import Colour, colour, load


@dataclass(frozen=True)
class Tint:
    """A colour: its wordings and the paint that it stands for."""

    words: Sequence[str]
    rgb: Colour


@dataclass(frozen=True)
class Term:
    """One value of an attribute.

    Attributes:
        phrases: Wordings inside a sentence, as in "in a snowy forest".
        tags: Wordings between commas, as in "snowy forest".
        sky: Of a place: whether weather and light can be seen there.
        hides: Of a style: the attributes that it does not show, ``colour`` or ``light``.
    """

    phrases: Sequence[str]
    tags: Sequence[str] = ()
    sky: bool = True
    hides: Sequence[str] = ()


@dataclass(frozen=True)
class Subject:
    """One drawable thing.

    Attributes:
        colour: Key of the colour it is painted in when the prompt states none.
        nouns: Wordings as ``(singular, plural)``.
        faces: Whether the drawing has a front, so that two of them can face each other.
        floats: Whether it hovers rather than stands on the ground.
    """

    colour: str
    nouns: Sequence[tuple[str, str]]
    faces: bool = False
    floats: bool = False


def _terms(table: str) -> dict[str, Term]:
    return {key: Term(**entry) for key, entry in load("words")[table].items()}


def _noun(text: str) -> tuple[str, str]:
    singular, _, plural = text.partition("/")
    return singular, plural or singular + "s"


COLOURS = {
    key: Tint(entry["words"], colour(entry["rgb"]))
    for key, entry in load("words")["colours"].items()
}
COUNTS: dict[int, Sequence[str]] = load("words")["counts"]
RELATIONS, SETTINGS, STYLES = _terms("relations"), _terms("settings"), _terms("styles")
WEATHER, LIGHTS = _terms("weather"), _terms("lights")
LIGHTS_IN: dict[str | None, Sequence[str]] = load("words")["lights_in"]
MODIFIERS: Sequence[str] = load("words")["modifiers"]
PLAIN: Sequence[str] = load("words")["plain"]
FORMS: Sequence[tuple[float, str]] = [(weight, form) for weight, form in load("words")["forms"]]
SUBJECTS = {
    key: Subject(**entry | {"nouns": [_noun(text) for text in entry["nouns"]]})
    for key, entry in load("words")["subjects"].items()
}
