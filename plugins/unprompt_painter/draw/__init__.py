"""Drawing: from a scene to a picture."""

from unprompt_painter.draw.picture import draw

__all__ = ["draw"]
