"""Options of a member with some values changed, by their paths."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from pydantic import BaseModel

from unprompt.types import Json


def with_changes(options: BaseModel, changes: Mapping[str, Json]) -> dict[str, Json]:
    """Options as plain data with other values.

    Args:
        options: A member's options.
        changes: Path, such as ``kernel.temperature``, -> value.
    """
    plain: dict[str, Json] = copy.deepcopy(options.model_dump(mode="json"))
    for path, value in changes.items():
        *outer, last = path.split(".")
        place = plain
        for step in outer:
            if not isinstance(place.get(step), dict):
                place[step] = {}
            place = place[step]
        place[last] = value
    return plain
