"""Combinations of subject, setting and style that worlds for training can leave out."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Literal

from unprompt_painter.scene import Scene

Subset = Literal["seen", "unseen"]

_ONE_IN = 5
"""Of so many combinations one is held out: about 27 % of scenes, as some have two subjects."""


@cache
def held_out(subject: str, setting: str | None, style: str | None) -> bool:
    """Whether a combination of keys is held out: by its hash, in every world alike.

    Each key alone, and each pair, is in many combinations that are not.
    """
    digest = hashlib.sha256(f"{subject}/{setting or ''}/{style or ''}".encode()).digest()
    return int.from_bytes(digest[:4]) % _ONE_IN == 0


def subset(scene: Scene) -> Subset:
    """Whether a scene is of a combination that is held out, by any of its subjects.

    An image shows its subjects, its setting and its style, so all scenes that could have made it
    are in the same subset.
    """
    keys = [actor.key for actor in scene.subjects]
    unseen = any(held_out(key, scene.setting, scene.style) for key in keys)
    return "unseen" if unseen else "seen"
