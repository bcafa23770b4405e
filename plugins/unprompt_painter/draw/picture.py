"""Drawing a scene: the place, the subjects, what falls before them, and the style over all."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from PIL import Image, ImageChops, ImageDraw

from unprompt_painter.draw.canvas import SIDE, Colour, Paints, blend, figure, stamp
from unprompt_painter.draw.layout import arrange
from unprompt_painter.draw.looks import LOOKS, PLAIN_LOOK, Look
from unprompt_painter.draw.settings_indoors import INDOORS
from unprompt_painter.draw.settings_outdoors import OUTDOORS
from unprompt_painter.draw.sky import (
    LAND_TINTS,
    SUBJECT_TINTS,
    fog,
    sky,
    weather_behind,
    weather_in_front,
)
from unprompt_painter.draw.styles import FILTERS
from unprompt_painter.scene import Actor, Scene, hidden, painted, seen
from unprompt_painter.words import COLOURS
from unprompt_painter.words_subjects import SUBJECTS

UNCOLOURED: Colour = (172, 172, 172)
DARK_SETTINGS = ("space", "cave", "volcano", "library")


def draw(scene: Scene, rng: Random, size: int = 128) -> Image.Image:
    """Draws a scene.

    Args:
        scene: What to draw; a scene and its ``seen`` scene give the same picture.
        rng: Moves positions, sizes, shapes and the details of the place.
        size: Width and height of the picture in pixels.

    Returns:
        An RGB image of ``size`` by ``size`` pixels.
    """
    scene = seen(scene)
    look = LOOKS.get(scene.style or "", PLAIN_LOOK)
    # Each part has its own generator: what one part draws never moves another.
    place, layout, colour, front, finish = (Random(rng.getrandbits(64)) for _ in range(5))
    image = _backdrop(scene, look, place)
    _subjects(image, scene, look, layout, colour)
    weather_in_front(image, scene.weather, front)
    small = image.reduce(2)
    if scene.style is not None:
        small = FILTERS[scene.style](small, finish)
    return small if size == small.width else small.resize((size, size), Image.Resampling.BICUBIC)


def _backdrop(scene: Scene, look: Look, rng: Random) -> Image.Image:
    if scene.setting in OUTDOORS:
        image = sky(scene.light, scene.weather, rng)
        image = _with_land(image, scene, rng)
        weather_behind(image, scene.weather, rng)
    else:
        image = INDOORS[scene.setting](rng)
    if scene.weather == "fog":
        image = fog(image)
    if look.soft_backdrop:
        image = image.reduce(8).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    if look.fade:
        image = Image.blend(image, Image.new("RGB", image.size, (255, 255, 255)), look.fade)
    return image


def _with_land(image: Image.Image, scene: Scene, rng: Random) -> Image.Image:
    if scene.setting is None:
        return image
    tint = LAND_TINTS.get(scene.light if scene.light is not None else scene.weather)
    if tint is None or tint == (255, 255, 255):
        OUTDOORS[scene.setting](ImageDraw.Draw(image), rng)
        return image
    # The tint darkens the land alone: the sky has the colours of its light already.
    land = image.copy()
    OUTDOORS[scene.setting](ImageDraw.Draw(land), rng)
    mask = ImageChops.difference(land, image).convert("L").point(_NONZERO)
    tinted = ImageChops.multiply(land, Image.new("RGB", land.size, tint))
    image.paste(tinted, mask=mask)
    return image


_NONZERO = [0] + [255] * 255


def _subjects(image: Image.Image, scene: Scene, look: Look, layout: Random, colour: Random) -> None:
    pen = ImageDraw.Draw(image, "RGBA")
    standing = arrange(scene, layout)
    paints = {actor.key: _paints(actor, scene, look, colour) for actor in scene.subjects}
    dark = scene.setting in DARK_SETTINGS or scene.light in ("night", "aurora")
    for actor, place in standing:
        shape = figure(actor.key)
        if look.drop_shadow:
            shadow = Paints((70, 64, 70), (70, 64, 70), look.outline_width)
            stamp(
                ImageDraw.Draw(image),
                shape,
                replace(place, x=place.x + 8, base=place.base + 8),
                replace(shadow, tint=(70, 64, 70)),
            )
        elif place.base > SIDE * 0.7 and not SUBJECTS[actor.key].floats and not dark:
            half = place.width * 0.3
            pen.ellipse(
                (place.x - half, place.base - 7, place.x + half, place.base + 7), (0, 0, 0, 50)
            )
        stamp(ImageDraw.Draw(image), shape, place, paints[actor.key])


def _paints(actor: Actor, scene: Scene, look: Look, rng: Random) -> Paints:
    shade = rng.uniform(-0.08, 0.08)
    if "colour" in hidden(scene.style):
        body = UNCOLOURED
    else:
        rgb = COLOURS[painted(actor)].rgb
        body = blend(rgb, (255, 255, 255) if shade > 0 else (0, 0, 0), abs(shade))
    outline = look.outline or _contrast(body, scene)
    if look.glow:
        outline = blend(body, (255, 255, 255), 0.15)
    return Paints(
        body,
        outline if look.outline_width else None,
        look.outline_width,
        SUBJECT_TINTS.get(
            scene.light if scene.light is not None else scene.weather, (255, 255, 255)
        ),
    )


def _contrast(body: Colour, scene: Scene) -> Colour:
    """Returns an outline that sets a body apart from its place: light only for dark on dark."""
    luminance = (body[0] * 3 + body[1] * 6 + body[2]) / 10
    dark = scene.setting in DARK_SETTINGS or scene.light in ("night", "aurora")
    dark = dark or scene.weather == "storm"
    return (236, 236, 240) if luminance < 72 and dark else (26, 22, 30)
