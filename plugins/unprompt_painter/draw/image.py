"""Drawing a scene: the setting, the subjects, what falls before them, the style over all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from random import Random

from PIL import Image

from unprompt_painter.data import Colour, colour, load
from unprompt_painter.draw.canvas import SIDE, Canvas
from unprompt_painter.draw.figures import Paints, Place, blend, stamp
from unprompt_painter.draw.layout import arrange
from unprompt_painter.draw.steps import Steps
from unprompt_painter.scene import Actor, Scene, has_sky, is_monochrome, painted, seen
from unprompt_painter.words import COLOURS, SUBJECTS

UNCOLOURED: Colour = (172, 172, 172)
WHITE: Colour = (255, 255, 255)
SHADOW: Colour = (70, 64, 70)
DARK_SETTINGS = ("space", "cave", "volcano", "library")


@dataclass(frozen=True)
class Style:
    """What a style asks of the drawing.

    Attributes:
        outline: Colour of the outline; ``glow``: the body's own, brightened; None for the usual
            one, dark or light by contrast.
        outline_width: Its width in canvas pixels; 0 for no outline.
        drop_shadow: Whether figures throw a hard shadow on the place behind them.
        backdrop: What happens to the place before the figures are drawn.
        filter: What happens to the whole image in the end.
    """

    outline: str | None = None
    outline_width: float = 3.0
    drop_shadow: bool = False
    backdrop: Steps = ()
    filter: Steps = ()


@dataclass(frozen=True)
class Sky:
    """The sky of a scene; ``data/skies.yaml`` says what its fields mean."""

    sky: tuple[str, str]
    land: str = "ffffff"
    subjects: str = "ffffff"
    dark: bool = False
    shadows: bool = True
    overcast: bool = False
    draw: Steps = ()
    clouds: Steps = ()
    behind: Steps = ()
    haze: Steps = ()
    front: Steps = ()


@cache
def _sky_of(light: str | None, weather: str | None) -> Sky:
    """Returns the sky of a light and a weather by their keys; None stands for an unstated one."""
    skies = load("skies")
    sky = Sky(**skies[weather or "clear"] | skies.get(light, {}))
    cloudy = light is None or (sky.overcast and not sky.dark)
    return sky if cloudy else replace(sky, clouds=())


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
    style = Style(**load(f"styles/{scene.style or 'plain'}"))
    sky = _sky_of(scene.light, scene.weather)
    # Each part has its own generator: what one part draws never moves another.
    behind, layout, tint, front, finish = (Random(rng.getrandbits(64)) for _ in range(5))
    canvas = Canvas(_backdrop(scene.setting, sky, style, behind), front)
    paints = {actor.key: _paints(actor, scene, sky, style, tint) for actor in scene.subjects}
    for actor, place in arrange(scene, layout):
        if style.drop_shadow:
            _drop_shadow(canvas, place, style.outline_width)
        elif sky.shadows and scene.setting not in DARK_SETTINGS:
            _ground_shadow(canvas, actor, place)
        stamp(canvas.pen, place, paints[actor.key])
    canvas.run(sky.front)
    small = Canvas(canvas.image.reduce(2), finish).run(style.filter)
    return small if size == small.width else small.resize((size, size), Image.Resampling.BICUBIC)


def _backdrop(setting: str | None, sky: Sky, style: Style, rng: Random) -> Image.Image:
    steps = load(f"settings/{setting or 'plain'}")
    if has_sky(setting):
        above = [*load("layout")["sun"], *sky.draw, *sky.clouds]
        # The light tints the land alone: the sky has the colours of its light already.
        steps = [*above, "keep sky", *steps, f"tint sky {sky.land}", *sky.behind]
    canvas = Canvas(_gradient(*sky.sky).copy(), rng)
    return canvas.run([*steps, *sky.haze, *style.backdrop])


@cache
def _gradient(top: str, bottom: str) -> Image.Image:
    canvas = Canvas(Image.new("RGB", (SIDE, SIDE), colour(top)), Random(0))
    return canvas.run([f"paint {bottom} ramp"])


def _paints(actor: Actor, scene: Scene, sky: Sky, style: Style, rng: Random) -> Paints:
    shade = rng.uniform(-0.08, 0.08)
    body = UNCOLOURED
    if not is_monochrome(scene.style):
        own = colour(COLOURS[painted(actor)].rgb)
        body = blend(own, WHITE if shade > 0 else (0, 0, 0), abs(shade))
    if style.outline is None:
        outline = _contrast(body, sky.dark or scene.setting in DARK_SETTINGS)
    else:
        outline = blend(body, WHITE, 0.15) if style.outline == "glow" else colour(style.outline)
    return Paints(body, outline, style.outline_width, colour(sky.subjects))


def _drop_shadow(canvas: Canvas, place: Place, outline_width: float) -> None:
    behind = replace(place, x=place.x + 8, base=place.base + 8)
    stamp(canvas.pen, behind, Paints(SHADOW, SHADOW, outline_width, SHADOW))


def _ground_shadow(canvas: Canvas, actor: Actor, place: Place) -> None:
    if place.base > SIDE * 0.7 and not SUBJECTS[actor.key].floats:
        canvas.run(["oval 00000032 x,base 0.3*width,7"], **vars(place))


def _contrast(body: Colour, dark: bool) -> Colour:
    """Returns an outline that sets a body apart from its place: light only for dark on dark."""
    red, green, blue = body
    luminance = (red * 3 + green * 6 + blue) / 10
    return (236, 236, 240) if luminance < 72 and dark else (26, 22, 30)
