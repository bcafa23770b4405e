"""Options of a member with some values changed, by their paths.

Where one option chooses which others are read, as ``kernel.name`` does, a change of it leaves
behind what only the old choice reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from unprompt._config.secrets import revealed

UNREAD = "unread_option"
"""The type of pydantic's error for an option that the choice beside it does not read."""


def with_changes(options: BaseModel, changes: Mapping[str, object]) -> dict[str, object]:
    """Options as plain data with other values, secrets included: not to be written.

    Args:
        options: A member's options.
        changes: Path, such as ``kernel.temperature``, -> value. What is not read beside another
            change of the same map is left out: it belongs to other variants.
    """
    plain = revealed(options)
    for path, value in changes.items():
        around, key = _at(plain, path)
        around[key] = value
    for path in _unread(type(options), plain):
        if any(_beside(other, path) for other in changes):
            around, key = _at(plain, path)
            del around[key]
    return plain


def variant_with(
    options: BaseModel, searched: Mapping[str, Sequence[object]], path: str, value: object
) -> dict[str, object]:
    """`with_changes` with one searched value, and with what is searched beside it if it needs that.

    Args:
        options: A member's options.
        searched: Every path that is searched -> its values.
        path: One of them.
        value: One of its values.
    """
    alone = with_changes(options, {path: value})
    if path not in _unread(type(options), alone):
        return alone
    for other, values in searched.items():
        for beside in values if _beside(other, path) else ():
            together = with_changes(options, {path: value, other: beside})
            around, key = _at(together, path)
            if key in around:
                return together
    return alone


def _unread(model: type[BaseModel], plain: Mapping[str, object]) -> list[str]:
    """The paths of options that have no effect."""
    try:
        model.model_validate(plain)
    except ValidationError as error:
        mistakes = [detail for detail in error.errors() if detail["type"] == UNREAD]
        return [".".join(map(str, detail["loc"])) for detail in mistakes]
    return []


def _beside(path: str, other: str) -> bool:
    """Whether two paths are different keys of the same map."""
    return path != other and path.rpartition(".")[0] == other.rpartition(".")[0]


def _at(plain: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """The map that a path ends in, made where there is none, and the key in it."""
    *outer, key = path.split(".")
    for step in outer:
        if not isinstance(plain.get(step), dict):
            plain[step] = {}
        plain = plain[step]
    return plain, key
