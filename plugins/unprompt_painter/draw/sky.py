"""Skies: what each light and weather draws, and the colour of its light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from PIL import Image

from unprompt_painter.data import colour, load
from unprompt_painter.draw.canvas import SIDE, Canvas
from unprompt_painter.draw.steps import Step, read
from unprompt_painter.scene import Scene


@dataclass(frozen=True)
class Sky:
    """A light or a weather; ``skies.yaml`` says what the fields mean."""

    sky: tuple[str, str]
    land: str = "ffffff"
    subjects: str = "ffffff"
    dark: bool = False
    clouds: str = ""
    paint: str = "ffffff"
    shows: Sequence[str] = ()
    draw: Sequence[Step] = ()
    behind: Sequence[Step] = ()
    front: Sequence[Step] = ()


@cache
def sky_of(key: str | None) -> Sky:
    """Returns a light or a weather by its key; None stands for an unstated one."""
    entry = load("skies")["skies"][key or "clear"]
    return Sky(**entry | {name: read(entry.get(name, ())) for name in ("draw", "behind", "front")})


def tone_of(scene: Scene) -> Sky:
    """Returns what gives a scene its colours: the light, or else the weather."""
    return sky_of(scene.light or scene.weather)


def draw_sky(scene: Scene, rng: Random) -> Image.Image:
    """Draws the sky of a scene on a new canvas, with what shines and hangs in it."""
    light, weather = sky_of(scene.light), sky_of(scene.weather)
    canvas = Canvas(_gradient(*tone_of(scene).sky).copy(), rng)
    canvas.run([*_steps("start"), *light.draw])
    if weather.clouds in light.shows:
        canvas.run(_steps(weather.clouds), paint=colour(weather.paint))
    return canvas.image


@cache
def _steps(name: str) -> Sequence[Step]:
    return read(load("skies")["steps"][name])


@cache
def _gradient(top: str, bottom: str) -> Image.Image:
    canvas = Canvas(Image.new("RGB", (SIDE, SIDE), colour(top)), Random(0))
    canvas.draw("fade", colour(bottom))
    return canvas.image
