"""Drawing: from a scene to an image."""

from unprompt_painter.draw.image import draw

__all__ = ["draw"]
