"""The mean and standard deviation by which a tower's own files normalise pixels of 0..1."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unprompt._files import paths
from unprompt.errors import DataError

FURTHEST = 10.0
"""Beyond it, mean and deviation are not those of pixels in 0..1: rows would all be the same."""


def check_normalisation(path: Path, content: object) -> None:
    """Check what a configuration says of normalisation, where it says something.

    Args:
        path: ``open_clip_config.json``, ``preprocessor_config.json``, ``processor_config.json``
            or timm's ``config.json``; other files are left.
        content: What it holds.

    Raises:
        DataError: It is not three numbers for red, green and blue, as they can be; names it.
    """
    if isinstance(content, dict):
        for key, part in _parts(path, content):
            if not isinstance(part, dict):
                raise DataError(f"{paths.shown(path)}: `{key}` should be an object")
            _check(path, part)


def _parts(path: Path, content: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """The objects in which the three libraries write it."""
    if path.name == "open_clip_config.json" and "preprocess_cfg" in content:
        yield "preprocess_cfg", content["preprocess_cfg"]
    elif path.name == "config.json" and "pretrained_cfg" in content:
        yield "pretrained_cfg", content["pretrained_cfg"]
    elif path.name == "config.json" and "architecture" in content:  # as timm wrote it before 0.9
        yield "", {key: content[key] for key in ("mean", "std") if key in content}
    elif path.name in ("preprocessor_config.json", "processor_config.json"):
        yield "image_processor", content.get("image_processor", content)


def _check(path: Path, part: dict[str, Any]) -> None:
    for key in ("mean", "std", "image_mean", "image_std"):
        if key not in part or (part[key] is None and key.startswith("image_")):
            continue  # transformers reads null as its default
        value, spread = part[key], key.endswith("std")
        numbers = value if isinstance(value, list) else []
        fits = len(numbers) == 3 and all(_is_number(number, spread=spread) for number in numbers)
        if not fits:
            least = "above 0" if spread else f"from {-FURTHEST:g}"
            wanted = f"three numbers {least} to {FURTHEST:g}"
            raise DataError(f"{paths.shown(path)}: `{key}` should be {wanted}, got {value!r:.60}")


def _is_number(value: object, *, spread: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return (0 if spread else -FURTHEST) <= value <= FURTHEST and (value != 0 or not spread)
