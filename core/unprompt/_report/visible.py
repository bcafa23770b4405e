"""Characters that no page may hold, made visible: prompts and ids are whatever a file said."""

from __future__ import annotations

_REPLACED = "\N{REPLACEMENT CHARACTER}"
_KEPT = "\t\n"
_LAST = (0xFFFE, 0xFFFF)
_TABLE = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in _KEPT},
    0x7F: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys(range(0x80, 0xA0), _REPLACED),  # C1 controls
    **dict.fromkeys(range(0xD800, 0xE000), _REPLACED),  # halves of characters: no file holds them
    # Embeddings, overrides and isolates turn the text around that follows them on the page.
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], _REPLACED),
    # Code points that are no characters.
    **dict.fromkeys([*range(0xFDD0, 0xFDF0), 0xFEFF], _REPLACED),
    **dict.fromkeys(
        (plane + end for plane in range(0, 0x110000, 0x10000) for end in _LAST), _REPLACED
    ),
}


def visible(page: str) -> str:
    """The text with each control as its symbol (NUL as ``␀``), and others as ``�``."""
    return page.translate(_TABLE)
