"""Sentences: how a scene is put into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from unprompt_painter.scene import Actor, Scene, fill, sample_scene, seen
from unprompt_painter.words import (
    COLOURS,
    COUNTS,
    LIGHTS,
    MODIFIERS,
    PLAIN,
    RELATIONS,
    SETTINGS,
    STYLES,
    SUBJECTS,
    WEATHER,
    Term,
)


__all__ = ["FORMS", "Scene", "fill", "phrase", "sample_scene", "seen"]

MODIFIER_WEIGHTS = (50, 30, 20)  # of 0, 1 and 2 modifiers: 0.7 on average


@dataclass(frozen=True)
class Parts:
    """The worded parts of one prompt; a part the scene lacks is empty.

    Attributes:
        core: The subjects, as in "two red foxes next to a lighthouse".
        place, weather, light: Phrases, as in "in a forest".
        place_tag, weather_tag, light_tag: The same as tags, as in "forest".
        opening: What the picture is, with "of": "a watercolor painting of", or empty.
        medium: The same without "of".
        style_tag: The style as a tag.
    """

    core: str
    place: str
    weather: str
    light: str
    place_tag: str
    weather_tag: str
    light_tag: str
    opening: str
    medium: str
    style_tag: str


def _words(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _list(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


FORMS: tuple[tuple[float, Callable[[Parts], str]], ...] = (
    (5, lambda p: _words(p.opening, p.core, p.place, p.weather, p.light)),
    (4, lambda p: _list(_words(p.core, p.place, p.weather, p.light), p.style_tag)),
    (3, lambda p: _list(p.core, p.place_tag, p.weather_tag, p.light_tag, p.style_tag)),
    (2, lambda p: _list(p.style_tag, _words(p.core, p.place), p.weather_tag, p.light_tag)),
    (2, lambda p: _list(_words(p.opening, p.core, p.light, p.place), p.weather_tag)),
    (2, lambda p: _list(p.place, _words(p.opening, p.core, p.weather), p.light_tag)),
    (1, lambda p: _list(_words(p.core, p.place, p.weather, p.light), p.medium)),
    (1, lambda p: _list(p.light, _words(p.core, p.place, p.weather), p.style_tag)),
)
"""The sentence forms with their weights; every form suits every scene."""


def phrase(scene: Scene, rng: Random) -> str:
    """Puts a scene into words.

    Args:
        scene: What to say.
        rng: Source of all randomness: sentence form, wordings and modifiers.

    Returns:
        A prompt.
    """
    [form] = rng.choices([form for _, form in FORMS], [weight for weight, _ in FORMS])
    modifiers = rng.sample(MODIFIERS, rng.choices((0, 1, 2), MODIFIER_WEIGHTS)[0])
    return _list(form(_parts(scene, rng)), *modifiers)


def _parts(scene: Scene, rng: Random) -> Parts:
    style = STYLES[scene.style] if scene.style is not None else None
    medium = rng.choice(style.phrases) if style else ""
    return Parts(
        core=_core(scene, rng),
        place=_choose(SETTINGS, scene.setting, "phrases", rng),
        weather=_choose(WEATHER, scene.weather, "phrases", rng),
        light=_choose(LIGHTS, scene.light, "phrases", rng),
        place_tag=_choose(SETTINGS, scene.setting, "tags", rng),
        weather_tag=_choose(WEATHER, scene.weather, "tags", rng),
        light_tag=_choose(LIGHTS, scene.light, "tags", rng),
        opening=f"{medium} of" if medium else rng.choice(PLAIN),
        medium=medium,
        style_tag=rng.choice(style.tags) if style else "",
    )


def _choose(table: Mapping[str, Term], key: str | None, field: str, rng: Random) -> str:
    if key is None:
        return ""
    words: tuple[str, ...] = getattr(table[key], field)
    return rng.choice(words)


def _core(scene: Scene, rng: Random) -> str:
    words = [_noun_phrase(actor, rng) for actor in scene.subjects]
    if scene.relation is None:
        return words[0]
    return f"{words[0]} {rng.choice(RELATIONS[scene.relation].phrases)} {words[1]}"


def _noun_phrase(actor: Actor, rng: Random) -> str:
    singular, plural = rng.choice(SUBJECTS[actor.key].nouns)
    colour = rng.choice(COLOURS[actor.colour].words) if actor.colour is not None else ""
    if actor.count == 1:
        words = _words(colour, singular)
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
    return _words(rng.choice(COUNTS[actor.count]), colour, plural)
