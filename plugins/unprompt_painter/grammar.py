"""Sentences: how a scene is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from unprompt_painter.scene import Actor, Scene
from unprompt_painter.words import (
    COLOURS,
    COUNTS,
    FORMS,
    LIGHTS,
    MODIFIERS,
    PLAIN,
    RELATIONS,
    SETTINGS,
    STYLES,
    SUBJECTS,
    WEATHER,
)

MODIFIER_WEIGHTS = (50, 30, 20)  # of 0, 1 and 2 modifiers: 0.7 on average


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
    return ", ".join([fill_form(form, word_parts(scene, rng)), *modifiers])


def fill_form(form: str, parts: Mapping[str, str]) -> str:
    """Returns a sentence form with the parts of a scene in the place of their names."""
    clauses = [" ".join(filter(None, map(parts.get, names.split()))) for names in form.split(",")]
    return ", ".join(filter(None, clauses))


def word_parts(scene: Scene, rng: Random) -> dict[str, str]:
    """Returns the worded parts of a prompt by name; a part that the scene lacks is empty."""
    style = STYLES[scene.style] if scene.style else None
    place = SETTINGS[scene.setting] if scene.setting else None
    weather = WEATHER[scene.weather] if scene.weather else None
    light = LIGHTS[scene.light] if scene.light else None
    medium = rng.choice(style.phrases) if style else ""
    return {
        "core": _core(scene, rng),
        "place": rng.choice(place.phrases) if place else "",
        "weather": rng.choice(weather.phrases) if weather else "",
        "light": rng.choice(light.phrases) if light else "",
        "place_tag": rng.choice(place.tags) if place else "",
        "weather_tag": rng.choice(weather.tags) if weather else "",
        "light_tag": rng.choice(light.tags) if light else "",
        "opening": f"{medium} of" if medium else rng.choice(PLAIN),
        "medium": medium,
        "style_tag": rng.choice(style.tags) if style else "",
    }


def _core(scene: Scene, rng: Random) -> str:
    words = [_noun_phrase(actor, rng) for actor in scene.subjects]
    if scene.relation is not None:
        words.insert(1, rng.choice(RELATIONS[scene.relation].phrases))
    return " ".join(words)


def _noun_phrase(actor: Actor, rng: Random) -> str:
    singular, plural = rng.choice(SUBJECTS[actor.key].nouns)
    colour = f"{rng.choice(COLOURS[actor.colour].words)} " if actor.colour is not None else ""
    if actor.count == 1:
        return with_article(colour + singular)
    return f"{rng.choice(COUNTS[actor.count])} {colour}{plural}"


def with_article(words: str) -> str:
    """Returns singular words behind "a" or "an"."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
