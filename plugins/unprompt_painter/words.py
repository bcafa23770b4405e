"""The vocabulary of prompts as tables; ``data/words.yaml`` says what they and their fields mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unprompt_painter.data import load


@dataclass(frozen=True)
class Tint:
    """A colour."""

    words: Sequence[str]
    rgb: str


@dataclass(frozen=True)
class Term:
    """One value of an attribute, such as one style."""

    phrases: Sequence[str]
    tags: Sequence[str] = ()
    sky: bool = True
    monochrome: bool = False


@dataclass(frozen=True)
class Subject:
    """One drawable thing; its nouns are pairs ``(singular, plural)``."""

    colour: str
    nouns: Sequence[tuple[str, str]]
    faces: bool = False
    floats: bool = False


def _terms(table: str) -> dict[str, Term]:
    return {key: Term(**entry) for key, entry in _WORDS[table].items()}


def _noun(text: str) -> tuple[str, str]:
    singular, _, plural = text.partition("/")
    return singular, plural or singular + "s"


_WORDS = load("words")
COLOURS = {key: Tint(**entry) for key, entry in _WORDS["colours"].items()}
COUNTS: Mapping[int, Sequence[str]] = _WORDS["counts"]
RELATIONS, SETTINGS, STYLES = _terms("relations"), _terms("settings"), _terms("styles")
WEATHER, LIGHTS = _terms("weather"), _terms("lights")
LIGHTS_IN: Mapping[str | None, Sequence[str]] = _WORDS["lights_in"]
MODIFIERS: Sequence[str] = _WORDS["modifiers"]
PLAIN: Sequence[str] = _WORDS["plain"]
FORMS: Sequence[tuple[float, str]] = [(weight, form) for weight, form in _WORDS["forms"]]
SUBJECTS = {
    key: Subject(**entry | {"nouns": [_noun(text) for text in entry["nouns"]]})
    for key, entry in _WORDS["subjects"].items()
}
STATED: Mapping[str, float] = _WORDS["stated"]
SECOND_SUBJECT: float = _WORDS["second_subject"]
COUNT_WEIGHTS: Mapping[str, Sequence[float]] = _WORDS["count_weights"]
MODIFIER_WEIGHTS: Sequence[float] = _WORDS["modifier_weights"]
