"""The drawing of the embedded world."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from random import Random

import pytest
from PIL import Image, ImageChops, ImageStat

from unprompt_painter.draw import draw
from unprompt_painter.scene import Actor, Scene, fill, sample_scene, seen
from unprompt_painter.words import COLOURS, LIGHTS_IN, SETTINGS, STYLES, SUBJECTS, WEATHER

FOX = Scene((Actor("fox", "red"),), setting="meadow")


def _difference(first: Scene, second: Scene, seed: int = 0) -> float:
    """Returns the mean difference of two scenes' images, 0..255, drawn with equal seeds."""
    images = [draw(scene, Random(seed), 128) for scene in (first, second)]
    means = ImageStat.Stat(ImageChops.difference(*images)).mean
    return sum(means) / len(means)


@pytest.mark.parametrize("key", list(SUBJECTS))
def test_every_subject_draws_and_differs_from_the_fox(key: str) -> None:
    scene = replace(FOX, subjects=(Actor(key, "red"),), style=list(STYLES)[len(key) % 15])
    assert draw(scene, Random(0), 128).size == (128, 128)
    if key != "fox":
        assert _difference(scene, replace(scene, subjects=FOX.subjects)) > 2


@pytest.mark.parametrize("style", list(STYLES))
def test_every_style_draws_every_kind_of_scene_and_changes_it(style: str) -> None:
    assert _difference(FOX, replace(FOX, style=style)) > 2
    for other in STYLES:
        if other != style:
            assert _difference(replace(FOX, style=other), replace(FOX, style=style)) > 4
    for setting in SETTINGS:
        draw(Scene((Actor("owl", "blue", 3), Actor("car")), "on", setting, style=style), Random(1))


@pytest.mark.parametrize("setting", list(SETTINGS))
def test_every_setting_changes_the_image(setting: str) -> None:
    for other in (None, *SETTINGS):
        if other != setting:
            assert _difference(replace(FOX, setting=other), replace(FOX, setting=setting)) > 6


@pytest.mark.parametrize("weather", [None, *WEATHER])
def test_every_weather_and_light_changes_the_image(weather: str | None) -> None:
    scene = replace(FOX, weather=weather)
    if weather is not None:
        assert _difference(FOX, scene) > 1
    for light in LIGHTS_IN[weather]:
        assert _difference(scene, replace(scene, light=light)) > 4


@pytest.mark.parametrize("style", [key for key, style in STYLES.items() if style.monochrome])
def test_weather_shows_in_styles_without_colour(style: str) -> None:
    for weather, setting in product(WEATHER, ("meadow", "city")):
        scene = replace(FOX, style=style, setting=setting)
        assert _difference(scene, replace(scene, weather=weather)) > 1


@pytest.mark.parametrize("style", [key for key, style in STYLES.items() if style.monochrome])
def test_hidden_attributes_leave_no_trace(style: str) -> None:
    scene = replace(FOX, style=style)
    for colour, light in zip(
        COLOURS, ("noon", "night", "sunset", "dawn", "aurora") * 3, strict=True
    ):
        other = replace(scene, subjects=(Actor("fox", colour),), light=light)
        assert _difference(scene, other) == 0


def test_an_image_depends_on_what_is_seen_alone() -> None:
    rng = Random(2)
    for seed in range(60):
        scene = sample_scene(rng)
        image = draw(scene, Random(seed), 64).tobytes()
        assert image == draw(seen(scene), Random(seed), 64).tobytes()
        assert image == draw(fill(seen(scene), rng), Random(seed), 64).tobytes()


@pytest.mark.parametrize("colour", list(COLOURS))
def test_colours_show_in_every_style_that_does_not_hide_them(colour: str) -> None:
    other = "red" if colour != "red" else "blue"
    for style in (None, *STYLES):
        if style is None or not STYLES[style].monochrome:
            one, two = (
                replace(FOX, subjects=(Actor("castle", key),), style=style)
                for key in (colour, other)
            )
            assert _difference(one, two) > 2


def test_counts_and_relations_move_things() -> None:
    for count in range(1, 5):
        few, more = (replace(FOX, subjects=(Actor("fox", "red", n),)) for n in (count, count + 1))
        assert _difference(few, more) > 4
    pair = (Actor("fox", "red"), Actor("duck", "blue"))
    relations = ("beside", "on", "in_front", "under", "above", "facing")
    for first, second in combinations(relations, 2):
        assert _difference(Scene(pair, first), Scene(pair, second)) > 2


@pytest.mark.parametrize("size", [32, 64, 128, 200])
def test_sizes(size: int) -> None:
    image = draw(replace(FOX, style="oil"), Random(0), size)
    assert image.size == (size, size)
    assert image.mode == "RGB"


def test_subjects_stay_in_the_image() -> None:
    from unprompt_painter.draw.canvas import SIDE
    from unprompt_painter.draw.layout import arrange

    rng = Random(3)
    for _ in range(400):
        for _, place in arrange(sample_scene(rng), rng):
            half = place.figure.width * place.scale / 2
            assert place.x - half > -0.08 * SIDE
            assert place.x + half < 1.08 * SIDE
            assert place.base - place.figure.height * place.scale > -0.08 * SIDE
            assert place.base < SIDE


def test_a_new_seed_gives_another_image_of_the_scene() -> None:
    assert isinstance(draw(FOX, Random(0)), Image.Image)
    assert draw(FOX, Random(0)).tobytes() != draw(FOX, Random(1)).tobytes()
