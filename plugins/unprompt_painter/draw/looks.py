"""How styles, lights and weathers look: what their data files say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from unprompt_painter.data import load
from unprompt_painter.draw.steps import Steps


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
def style_of(key: str | None) -> Style:
    """Returns a style by its key; None stands for a plain image."""
    return Style(**load(f"styles/{key}")) if key is not None else Style()


@cache
def sky_of(light: str | None, weather: str | None) -> Sky:
    """Returns the sky of a light and a weather by their keys; None stands for an unstated one."""
    skies = load("skies")
    sky = Sky(**skies[weather or "clear"] | skies.get(light, {}))
    cloudy = light is None or (sky.overcast and not sky.dark)
    return sky if cloudy else replace(sky, clouds=())
