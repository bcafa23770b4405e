"""Drawing a scene: the setting, the subjects, what falls before them, the style over all."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

from PIL import Image, ImageChops, ImageDraw

from unprompt_painter.data import Colour, colour, load
from unprompt_painter.draw.canvas import SIDE, Canvas
from unprompt_painter.draw.figures import Paints, blend, figure, stamp
from unprompt_painter.draw.layout import arrange
from unprompt_painter.draw.looks import Sky, Style, sky_of, style_of
from unprompt_painter.draw.steps import Steps
from unprompt_painter.scene import Actor, Scene, has_sky, hidden, painted, seen
from unprompt_painter.words import COLOURS, SUBJECTS

UNCOLOURED: Colour = (172, 172, 172)
WHITE: Colour = (255, 255, 255)
SHADOW: Colour = (70, 64, 70)
DARK_SETTINGS = ("space", "cave", "volcano", "library")


def draw(scene: Scene, rng: Random, size: int = 128) -> Image.Image:
    """Draws a scene.

    Args:
        scene: What to draw; a scene and its ``seen`` scene give the same image.
        rng: Moves positions, sizes, shapes and the details of the place.
        size: Width and height of the image in pixels.

    Returns:
        An RGB image of ``size`` by ``size`` pixels.
    """
    scene = seen(scene)
    style = style_of(scene.style)
    # Each part has its own generator: what one part draws never moves another.
    behind, layout, tint, front, finish = (Random(rng.getrandbits(64)) for _ in range(5))
    image = _backdrop(scene, style, behind)
    _subjects(image, scene, style, layout, tint)
    image = Canvas(image, front).run(sky_of(scene.weather).front)
    small = Canvas(image.reduce(2), finish).run(style.filter)
    return small if size == small.width else small.resize((size, size), Image.Resampling.BICUBIC)


def _backdrop(scene: Scene, style: Style, rng: Random) -> Image.Image:
    steps = load(f"settings/{scene.setting or 'plain'}")
    if has_sky(scene.setting):
        image = _land(_sky(scene, rng), steps, colour(_tone(scene).land), rng)
        image = Canvas(image, rng).run(sky_of(scene.weather).behind)
    else:
        image = Canvas(Image.new("RGB", (SIDE, SIDE)), rng).run(steps)
    return Canvas(image, rng).run([*sky_of(scene.weather).haze, *style.backdrop])


def _tone(scene: Scene) -> Sky:
    """Returns what gives a scene its colours: the light, or else the weather."""
    return sky_of(scene.light or scene.weather)


def _sky(scene: Scene, rng: Random) -> Image.Image:
    """Draws the sky with what shines and hangs in it."""
    light, weather = sky_of(scene.light), sky_of(scene.weather)
    canvas = Canvas(_gradient(*_tone(scene).sky).copy(), rng)
    canvas.run([*load("layout")["sun"], *light.draw])
    if scene.light is None or (weather.overcast and not light.dark):
        canvas.run(weather.clouds)
    return canvas.image


@cache
def _gradient(top: str, bottom: str) -> Image.Image:
    canvas = Canvas(Image.new("RGB", (SIDE, SIDE), colour(top)), Random(0))
    return canvas.run([f"paint {bottom} ramp"])


def _land(sky: Image.Image, steps: Steps, light: Colour, rng: Random) -> Image.Image:
    """Draws a land under a sky in the colour of the light on it."""
    if light == WHITE:
        return Canvas(sky, rng).run(steps)
    # The light tints the land alone: the sky has the colours of its light already.
    image = Canvas(sky.copy(), rng).run(steps)
    mask = ImageChops.difference(image, sky).convert("L").point([0] + [255] * 255)
    sky.paste(ImageChops.multiply(image, Image.new("RGB", image.size, light)), mask=mask)
    return sky


def _subjects(image: Image.Image, scene: Scene, style: Style, layout: Random, tint: Random) -> None:
    standing = arrange(scene, layout)
    paints = {actor.key: _paints(actor, scene, style, tint) for actor in scene.subjects}
    pen = ImageDraw.Draw(image)
    for actor, place in standing:
        if style.drop_shadow:
            behind = replace(place, x=place.x + 8, base=place.base + 8)
            shadow = Paints(SHADOW, SHADOW, style.outline_width, SHADOW)
            stamp(pen, figure(actor.key), behind, shadow)
        elif place.base > SIDE * 0.7 and not (SUBJECTS[actor.key].floats or _is_dark(scene)):
            half = place.width * 0.3
            box = (place.x - half, place.base - 7, place.x + half, place.base + 7)
            ImageDraw.Draw(image, "RGBA").ellipse(box, (0, 0, 0, 50))
        stamp(pen, figure(actor.key), place, paints[actor.key])


def _paints(actor: Actor, scene: Scene, style: Style, rng: Random) -> Paints:
    shade = rng.uniform(-0.08, 0.08)
    body = UNCOLOURED
    if "colour" not in hidden(scene.style):
        body = blend(colour(COLOURS[painted(actor)].rgb), WHITE if shade > 0 else (0, 0, 0), abs(shade))
    outline = _outline(style.outline, body, scene)
    return Paints(body, outline, style.outline_width, colour(_tone(scene).subjects))


def _outline(word: str | None, body: Colour, scene: Scene) -> Colour:
    if word is not None:
        return blend(body, WHITE, 0.15) if word == "glow" else colour(word)
    # An outline that sets a body apart from its place: light only for dark on dark.
    red, green, blue = body
    luminance = (red * 3 + green * 6 + blue) / 10
    dark = _is_dark(scene) or sky_of(scene.weather).dark
    return (236, 236, 240) if luminance < 72 and dark else (26, 22, 30)


def _is_dark(scene: Scene) -> bool:
    return scene.setting in DARK_SETTINGS or sky_of(scene.light).dark
