"""Markers of a web UI's text that a damaged byte hides.

JPEG, WebP, AVIF and GIF have no checksums over their texts. A damaged letter of a prompt is one
letter; a damaged marker would make the negative prompt or the settings a part of the prompt.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

NEGATIVE = "Negative prompt:"
_PARTS = ("Nega", "tive", "prom", "ompt", "mpt:")
_ALIKE = 0.8
_TYPED = (NEGATIVE.lower(), NEGATIVE.upper())
# A line end that became something else leaves the marker glued to what was in front of it.
_GLUED_NEGATIVE = re.compile(r"[^ \t\r\n\"'(\[{<`]" + re.escape(NEGATIVE))
_GLUED_STEPS = re.compile(r"[^ \t\r\n,|;\"'({\[]Steps: \d")


def hidden_marker(text: str, *, negative: bool) -> str | None:
    """Why a text is taken for damaged; None: nothing says so.

    Args:
        text: The whole text.
        negative: Whether a line was found that begins with the marker of the negative prompt.
    """
    if _GLUED_STEPS.search(text):
        return "has settings that do not begin their line"
    if negative:
        return None
    if _GLUED_NEGATIVE.search(text) or any(map(_misspelt, re.split(r"[\r\n]+", text))):
        return "has a negative prompt whose beginning is damaged"
    return None


def _misspelt(line: str) -> bool:
    """Whether a line begins nearly as the marker, but not as somebody may type it."""
    head = line.lstrip()[: len(NEGATIVE)]
    if not any(part in head for part in _PARTS) or head in _TYPED:
        return False
    return SequenceMatcher(None, NEGATIVE, head, autojunk=False).ratio() >= _ALIKE
