"""Scenes: what a prompt says, how scenes are distributed, and what an image still shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from unprompt_painter import words


@dataclass(frozen=True)
class Actor:
    """One kind of subject in a scene.

    Attributes:
        key: Key of the subject.
        colour: Key of the colour; None where it is not stated (the subject's own colour is
            painted then) or, in a seen scene, where the style hides it.
        count: How many of them there are, 1 to 5.
    """

    key: str
    colour: str | None = None
    count: int = 1


@dataclass(frozen=True)
class Scene:
    """What a prompt says, without its wording; optional parts are None.

    Attributes:
        subjects: One or two actors, the main one first.
        relation: How the first stands to the second; None for a single actor.
        setting: Key of the place, None for a plain backdrop.
        weather: Key of the weather.
        light: Key of the light.
        style: Key of the medium, None for a plain image.
    """

    subjects: tuple[Actor, ...]
    relation: str | None = None
    setting: str | None = None
    weather: str | None = None
    light: str | None = None
    style: str | None = None


def sample_scene(rng: Random) -> Scene:
    """Draws a scene from the prior distribution; its parts can all occur together."""
    two = rng.random() < words.SECOND_SUBJECT
    keys = rng.sample(list(words.SUBJECTS), 2 if two else 1)
    weights = words.COUNT_WEIGHTS["related" if two else "alone"]
    [count] = rng.choices(range(1, len(weights) + 1), weights)
    subjects = tuple(
        Actor(key, _sample("colour", words.COLOURS, rng), number)
        for key, number in zip(keys, (count, 1), strict=False)
    )
    setting = _sample("setting", words.SETTINGS, rng)
    weather = _sample("weather", words.WEATHER, rng) if has_sky(setting) else None
    return Scene(
        subjects,
        relation=rng.choice(_relations(subjects)) if two else None,
        setting=setting,
        weather=weather,
        light=_sample_light(setting, weather, rng),
        style=_sample("style", words.STYLES, rng),
    )


def has_sky(setting: str | None) -> bool:
    """Returns whether weather and light can be seen in this setting."""
    return setting is not None and words.SETTINGS[setting].sky


def hidden(style: str | None) -> Sequence[str]:
    """Returns the attributes that a style does not show (``colour``, ``light``)."""
    return words.STYLES[style].hides if style is not None else ()


def seen(scene: Scene) -> Scene:
    """Returns what the image of a scene still shows; that of a seen scene is the scene itself.

    The attributes that its style hides become None. Where the colour shows, an unstated colour
    becomes the one that is painted, since the two look the same.
    """
    hides = hidden(scene.style)
    subjects = tuple(
        replace(actor, colour=None if "colour" in hides else painted(actor))
        for actor in scene.subjects
    )
    return replace(scene, subjects=subjects, light=None if "light" in hides else scene.light)


def painted(actor: Actor) -> str:
    """Returns the key of the colour an actor is painted in."""
    return actor.colour or words.SUBJECTS[actor.key].colour


def fill(seen_scene: Scene, rng: Random) -> Scene:
    """Draws a scene of the prior distribution given what its image shows, the result of ``seen``.

    Hidden attributes are drawn again; a colour that is the subject's own is left unstated as often
    as prompts leave it unstated.
    """
    hides = hidden(seen_scene.style)
    subjects = tuple(
        replace(actor, colour=_fill_colour(actor, "colour" in hides, rng))
        for actor in seen_scene.subjects
    )
    light = seen_scene.light
    if "light" in hides:
        light = _sample_light(seen_scene.setting, seen_scene.weather, rng)
    return replace(seen_scene, subjects=subjects, light=light)


def _sample(attribute: str, keys: Iterable[str], rng: Random) -> str | None:
    return rng.choice(list(keys)) if rng.random() < words.STATED[attribute] else None


def _sample_light(setting: str | None, weather: str | None, rng: Random) -> str | None:
    possible = words.LIGHTS_IN[weather] if has_sky(setting) else ()
    return _sample("light", possible, rng) if possible else None


def _relations(subjects: tuple[Actor, ...]) -> list[str]:
    """Returns the relations that two actors can have: only those with a front can face."""
    face = all(words.SUBJECTS[actor.key].faces for actor in subjects)
    return [key for key in words.RELATIONS if face or key != "facing"]


def _fill_colour(actor: Actor, is_hidden: bool, rng: Random) -> str | None:
    if is_hidden:
        return _sample("colour", words.COLOURS, rng)
    if actor.colour != words.SUBJECTS[actor.key].colour:
        return actor.colour
    # Bayes: the own colour is painted when it is stated and when nothing is stated.
    stated = words.STATED["colour"] / len(words.COLOURS)
    unstated = 1 - words.STATED["colour"]
    return actor.colour if rng.random() < stated / (stated + unstated) else None
