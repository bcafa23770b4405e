"""Scenes: what a prompt says, how scenes are distributed, and what an image still shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from unprompt_painter import words


@dataclass(frozen=True)
class Actor:
    """One to five of a kind in a scene.

    The colour is None where it is not stated (the subject's own is painted then) or, in a seen
    scene, where the style hides it.
    """

    key: str
    colour: str | None = None
    count: int = 1


@dataclass(frozen=True)
class Scene:
    """What a prompt says, as keys of the vocabulary; None is what it does not say.

    There are one or two subjects, the main one first; the relation is how that one stands to the
    second. Without a setting there is a plain backdrop, without a style a plain image.
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


def is_monochrome(style: str | None) -> bool:
    """Returns whether a style shows neither colour nor light."""
    return style is not None and words.STYLES[style].monochrome


def seen(scene: Scene) -> Scene:
    """Returns what the image of a scene still shows; that of a seen scene is the scene itself.

    Colours and light become None where the style hides them. Where the colour shows, an unstated
    colour becomes the one that is painted, since the two look the same.
    """
    hides = is_monochrome(scene.style)
    colours = [None if hides else painted(actor) for actor in scene.subjects]
    return _repaint(scene, colours, None if hides else scene.light)


def painted(actor: Actor) -> str:
    """Returns the key of the colour an actor is painted in."""
    return actor.colour or words.SUBJECTS[actor.key].colour


def fill(seen_scene: Scene, rng: Random) -> Scene:
    """Draws a scene of the prior distribution given what its image shows, the result of ``seen``.

    Hidden attributes are drawn again; a colour that is the subject's own is left unstated as often
    as prompts leave it unstated.
    """
    if not is_monochrome(seen_scene.style):
        colours = [_fill_colour(actor, rng) for actor in seen_scene.subjects]
        return _repaint(seen_scene, colours, seen_scene.light)
    colours = [_sample("colour", words.COLOURS, rng) for _ in seen_scene.subjects]
    light = _sample_light(seen_scene.setting, seen_scene.weather, rng)
    return _repaint(seen_scene, colours, light)


def _repaint(scene: Scene, colours: Sequence[str | None], light: str | None) -> Scene:
    pairs = zip(scene.subjects, colours, strict=True)
    subjects = tuple(replace(actor, colour=colour) for actor, colour in pairs)
    return replace(scene, subjects=subjects, light=light)


def _sample(attribute: str, keys: Iterable[str], rng: Random) -> str | None:
    return rng.choice(list(keys)) if rng.random() < words.STATED[attribute] else None


def _sample_light(setting: str | None, weather: str | None, rng: Random) -> str | None:
    possible = words.LIGHTS_IN[weather] if has_sky(setting) else ()
    return _sample("light", possible, rng) if possible else None


def _relations(subjects: tuple[Actor, ...]) -> list[str]:
    """Returns the relations that two actors can have: only those with a front can face."""
    face = all(words.SUBJECTS[actor.key].faces for actor in subjects)
    return [key for key in words.RELATIONS if face or key != "facing"]


def _fill_colour(actor: Actor, rng: Random) -> str | None:
    if actor.colour != words.SUBJECTS[actor.key].colour:
        return actor.colour
    # Bayes: the own colour is painted when it is stated and when nothing is stated.
    stated = words.STATED["colour"] / len(words.COLOURS)
    unstated = 1 - words.STATED["colour"]
    return actor.colour if rng.random() < stated / (stated + unstated) else None
