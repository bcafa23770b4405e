"""Drawing: from a scene to a image."""

from unprompt_painter.draw.image import draw

__all__ = ["draw"]
