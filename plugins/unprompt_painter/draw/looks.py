"""How a style draws before its filter: outlines, paint and shadows of each style."""

from __future__ import annotations

from dataclasses import dataclass

from unprompt_painter.draw.canvas import Colour


@dataclass(frozen=True)
class Look:
    """What a style asks of the drawing.

    Attributes:
        outline: Colour of the outline; None for the usual one, dark or light by contrast.
        outline_width: Its width in canvas pixels; 0 for no outline.
        soft_backdrop: Whether the place is out of focus.
        glow: Whether the outline is the body's own colour, brightened.
        drop_shadow: Whether figures throw a hard shadow on the place behind them.
        fade: Share by which the place fades to white behind the figures.
    """

    outline: Colour | None = None
    outline_width: float = 3.0
    soft_backdrop: bool = False
    glow: bool = False
    drop_shadow: bool = False
    fade: float = 0.0


PLAIN_LOOK = Look()
LOOKS: dict[str, Look] = {
    "photo": Look(outline_width=0.0, soft_backdrop=True),
    "watercolor": Look(outline=(90, 80, 90), outline_width=3.0, fade=0.2),
    "oil": Look(outline_width=4.0),
    "pencil": Look(outline=(20, 20, 20), fade=0.3),
    "ink": Look(outline=(0, 0, 0), outline_width=4.0),
    "charcoal": Look(outline=(10, 10, 10), outline_width=4.5),
    "pixel": Look(outline=(20, 16, 30), outline_width=4.5),
    "glass": Look(outline=(8, 8, 12), outline_width=6.5),
    "mosaic": Look(outline_width=4.5),
    "neon": Look(outline_width=4.5, glow=True),
    "comic": Look(outline=(0, 0, 0), outline_width=5.0),
    "blueprint": Look(outline=(0, 0, 0), outline_width=4.0),
    "papercut": Look(outline=(252, 250, 244), outline_width=6.0, drop_shadow=True),
    "lowpoly": Look(outline_width=3.5),
}
