"""Prompts and pixels of the embedded world stay as they are: its shipped towers know no others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import product
from random import Random

from unprompt_painter.draw import draw
from unprompt_painter.scene import Actor, Scene
from unprompt_painter.words import LIGHTS_IN, SETTINGS, STYLES, SUBJECTS, WEATHER
from unprompt_painter.world import World

# The hashes are those of commit 92720f4, which drew with code where data is now; Pillow 12.0 and
# 13.0 draw the same pixels.


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def _hash_of_scenes(scenes: Iterable[Scene]) -> str:
    return _hash(draw(scene, Random(seed)).tobytes() for seed, scene in enumerate(scenes))


def test_prompts_and_wordings() -> None:
    world = World(0)
    texts = (f"{world.prompt(i)}\n{world.wordings(i, 3)}" for i in range(200))
    assert _hash(text.encode() for text in texts) == "fef92416043191e1"


def test_images_of_a_world() -> None:
    assert _hash(World(0, 96).image(i).tobytes() for i in range(60)) == "67b9f89dc3c43983"


def test_every_subject() -> None:
    scenes = (Scene((Actor(key, count=2), Actor("key")), "beside") for key in SUBJECTS)
    assert _hash_of_scenes(scenes) == "d791980a232aadd0"


def test_every_setting_under_every_sky() -> None:
    fox = (Actor("fox", "black"),)
    skies = [
        (weather, light) for weather in (None, *WEATHER) for light in (None, *LIGHTS_IN[weather])
    ]
    scenes = (
        Scene(fox, setting=setting, weather=weather, light=light)
        for setting, (weather, light) in product((None, *SETTINGS), skies)
    )
    assert _hash_of_scenes(scenes) == "d188d5f693295e8d"


def test_every_style() -> None:
    pair = (Actor("cat", "lime"), Actor("car"))
    scenes = (Scene(pair, "on", "beach", style=style) for style in (*STYLES, *STYLES))
    assert _hash_of_scenes(scenes) == "3a47e88b06a93338"
