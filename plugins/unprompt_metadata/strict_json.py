"""JSON of strangers: bounded in size, depth and number of values, without keys that occur twice."""

from __future__ import annotations

import json
from typing import Any

CHARACTERS = 16 << 20
CONTAINERS = 200_000
VALUES = 1_000_000


def json_object(text: str) -> dict[str, Any]:
    """The object that a text is.

    A bare ``NaN``, as ComfyUI writes it, a byte order mark and trailing NULs are accepted.

    Raises:
        ValueError: It is none, or too large, or ambiguous; the message says which.
    """
    body = text.strip("\0\ufeff \t\r\n")
    if not body.startswith("{"):
        raise ValueError("is no JSON object")
    if (
        len(body) > CHARACTERS
        or body.count("{") + body.count("[") > CONTAINERS
        or body.count(",") > VALUES
    ):
        raise ValueError("holds more JSON than a generator writes")
    try:
        value = json.loads(body, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("holds JSON that is nested too deeply") from None
    except json.JSONDecodeError:
        raise ValueError("holds damaged JSON") from None
    assert isinstance(value, dict)  # it begins with a brace
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a key that occurs twice makes it ambiguous."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("holds JSON with a key that occurs twice")
    return values
