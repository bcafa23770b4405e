"""Change some of a member's options."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel


def with_changes(options: BaseModel, changes: Mapping[str, object]) -> dict[str, object]:
    """Options as plain data, with some values replaced.

    Args:
        options: A member's options.
        changes: Each path, such as ``kernel.temperature``, with its new value.
    """
    plain = options.model_dump(mode="json")
    for path, value in changes.items():
        *outer, last = path.split(".")
        block = plain
        for name in outer:
            if not isinstance(block.get(name), dict):
                block[name] = {}
            block = block[name]
        block[last] = value
    return plain
