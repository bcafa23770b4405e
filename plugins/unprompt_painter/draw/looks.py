"""How styles, lights and weathers look: what their data files say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from unprompt_painter.data import load
from unprompt_painter.draw.steps import Steps


@dataclass(frozen=True)
class Style:
    """What a style asks of the drawing, and its filter.

    Attributes:
        outline: Colour of the outline; None for the usual one, dark or light by contrast.
        outline_width: Its width in canvas pixels; 0 for no outline.
        soft_backdrop: Whether the place is out of focus.
        glow: Whether the outline is the body's own colour, brightened.
        drop_shadow: Whether figures throw a hard shadow on the place behind them.
        fade: Share by which the place fades to white behind the figures.
        filter: What happens to the whole image in the end.
    """

    outline: str | None = None
    outline_width: float = 3.0
    soft_backdrop: bool = False
    glow: bool = False
    drop_shadow: bool = False
    fade: float = 0.0
    filter: Steps = ()


@dataclass(frozen=True)
class Sky:
    """A light or a weather.

    Attributes:
        sky: Colours at the top and at the bottom.
        land, subjects: Colour of the light on them.
        dark: Whether dark subjects need a light outline.
        clouds: Which clouds the weather brings, ``fair`` or ``overcast``, in the colour ``paint``.
        draw: Sun, moon and what else shines.
        behind, front: What the weather draws behind and before the subjects.
    """

    sky: tuple[str, str]
    land: str = "ffffff"
    subjects: str = "ffffff"
    dark: bool = False
    clouds: str = ""
    paint: str = "ffffff"
    draw: Steps = ()
    behind: Steps = ()
    front: Steps = ()


@cache
def style_of(key: str | None) -> Style:
    """Returns a style by its key; None stands for a plain image."""
    entry = load(f"styles/{key}") if key is not None else {}
    return Style(**entry)


@cache
def sky_of(key: str | None) -> Sky:
    """Returns a light or a weather by its key; None stands for an unstated one."""
    entry = load("skies")["skies"][key or "clear"]
    return Sky(**entry)
