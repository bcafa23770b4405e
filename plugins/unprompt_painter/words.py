"""The vocabulary of a prompt: subjects, colours, places, styles and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unprompt_painter.data import Colour, colour, load


@dataclass(frozen=True)
class Tint:
    """A colour: its wordings and the paint that it stands for."""

    words: tuple[str, ...]
    rgb: Colour


@dataclass(frozen=True)
class Term:
    """One value of an attribute.

    Attributes:
        phrases: Wordings inside a sentence, as in "in a snowy forest".
        tags: Wordings between commas, as in "snowy forest".
    """

    phrases: tuple[str, ...]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting(Term):
    """A place; ``sky`` says whether weather and light can be seen there."""

    sky: bool = True


@dataclass(frozen=True)
class Style(Term):
    """A medium; ``phrases`` take "of" ("a photo of"), ``hides`` names what it does not show."""

    hides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """One drawable thing.

    Attributes:
        colour: Key of the colour it is painted in when the prompt states none.
        nouns: Wordings as ``(singular, plural)``, all equally likely.
        faces: Whether the drawing has a front, so that two of them can face each other.
        floats: Whether it hovers rather than stands on the ground.
    """

    colour: str
    nouns: tuple[tuple[str, str], ...]
    faces: bool = False
    floats: bool = False


def _entries(table: str) -> dict[str, dict[str, Any]]:
    """Returns a table of ``words.yaml`` with tuples for its lists."""
    return {
        key: {name: tuple(v) if isinstance(v, list) else v for name, v in entry.items()}
        for key, entry in load("words")[table].items()
    }


def _noun(text: str) -> tuple[str, str]:
    singular, _, plural = text.partition("/")
    return singular, plural or singular + "s"


COLOURS = {
    key: Tint(entry["words"], colour(entry["rgb"])) for key, entry in _entries("colours").items()
}
COUNTS: dict[int, list[str]] = load("words")["counts"]
RELATIONS = {key: Term(**entry) for key, entry in _entries("relations").items()}
SETTINGS = {key: Setting(**entry) for key, entry in _entries("settings").items()}
STYLES = {key: Style(**entry) for key, entry in _entries("styles").items()}
WEATHER = {key: Term(**entry) for key, entry in _entries("weather").items()}
LIGHTS = {key: Term(**entry) for key, entry in _entries("lights").items()}
LIGHTS_IN: dict[str | None, list[str]] = load("words")["lights_in"]
"""The lights that occur with each weather; None stands for an unstated weather."""
MODIFIERS: list[str] = load("words")["modifiers"]
PLAIN: list[str] = load("words")["plain"]
"""What a prompt without a style may call the image."""
SUBJECTS = {
    key: Subject(**entry | {"nouns": tuple(map(_noun, entry["nouns"]))})
    for key, entry in _entries("subjects").items()
}
