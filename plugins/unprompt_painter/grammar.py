"""Sentences: how a scene is put into words."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from unprompt_painter import words
from unprompt_painter.scene import Actor, Scene


def phrase(scene: Scene, rng: Random) -> str:
    """Returns a prompt for a scene; sentence form, wordings and modifiers are drawn at random."""
    [form] = rng.choices([form for _, form in words.FORMS], [share for share, _ in words.FORMS])
    [count] = rng.choices((0, 1, 2), words.MODIFIER_WEIGHTS)
    modifiers = rng.sample(words.MODIFIERS, count)
    return ", ".join([fill_form(form, word_parts(scene, rng)), *modifiers])


def fill_form(form: str, parts: Mapping[str, str]) -> str:
    """Returns a sentence form with the parts of a scene in the place of their names."""
    clauses = [" ".join(filter(None, map(parts.get, names.split()))) for names in form.split(",")]
    return ", ".join(filter(None, clauses))


def word_parts(scene: Scene, rng: Random) -> dict[str, str]:
    """Returns the worded parts of a prompt by name; a part that the scene lacks is empty."""
    style = words.STYLES[scene.style] if scene.style is not None else None
    medium = rng.choice(style.phrases) if style else ""
    core = _core(scene, rng)
    terms = {
        "place": words.SETTINGS.get(scene.setting or ""),
        "weather": words.WEATHER.get(scene.weather or ""),
        "light": words.LIGHTS.get(scene.light or ""),
    }
    phrases = {name: rng.choice(term.phrases) if term else "" for name, term in terms.items()}
    tags = {f"{name}_tag": rng.choice(term.tags) if term else "" for name, term in terms.items()}
    return {
        **phrases,
        **tags,
        "core": core,
        "opening": f"{medium} of" if medium else rng.choice(words.PLAIN),
        "medium": medium,
        "style_tag": rng.choice(style.tags) if style else "",
    }


def _core(scene: Scene, rng: Random) -> str:
    parts = [_noun_phrase(actor, rng) for actor in scene.subjects]
    if scene.relation is not None:
        parts.insert(1, rng.choice(words.RELATIONS[scene.relation].phrases))
    return " ".join(parts)


def _noun_phrase(actor: Actor, rng: Random) -> str:
    singular, plural = rng.choice(words.SUBJECTS[actor.key].nouns)
    colour = rng.choice(words.COLOURS[actor.colour].words) + " " if actor.colour else ""
    if actor.count == 1:
        return with_article(colour + singular)
    return f"{rng.choice(words.COUNTS[actor.count])} {colour}{plural}"


def with_article(noun: str) -> str:
    """Returns a singular noun behind "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
