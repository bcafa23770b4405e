"""The painter's data files: its words, figures, places and styles, as YAML in ``data/``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "data"

Colour = tuple[int, ...]
"""Red, green and blue, 0..255, and the opacity where it is not full."""

# The loader in C reads the same YAML in a tenth of the time; some builds of PyYAML lack it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def load(name: str) -> Any:
    """Returns what the file of a name such as ``figures/fox`` holds; it is read once."""
    with (FOLDER / f"{name}.yaml").open(encoding="utf-8") as file:
        return yaml.load(file, _LOADER)


@cache
def colour(word: str) -> Colour:
    """Returns a colour by its name in ``palette.yaml`` or by its six or eight hex digits.

    Raises:
        ValueError: It is neither.
    """
    digits = load("palette").get(word, word)
    if len(digits) not in (6, 8):
        raise ValueError(f"no colour of the palette and no hex digits: {word!r}")
    return tuple(bytes.fromhex(digits))
