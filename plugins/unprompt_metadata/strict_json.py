"""JSON of strangers: bounded in size, depth and number of values, without keys that occur twice."""

from __future__ import annotations

import json
from typing import Any


class StrictJson:
    """Reads the JSON texts of one file, which have one budget together.

    A file may hold a text in many fields, each as large as a field may be. Generators write a few
    thousand values; a workflow of ten thousand nodes has some hundred thousand.

    Attributes:
        characters: That may still be read.
        containers: Objects and lists that may still be read.
        values: The same of values in them.
    """

    def __init__(self) -> None:
        """Nothing is spent."""
        self.characters, self.containers, self.values = 8 << 20, 150_000, 400_000

    def object(self, text: str) -> dict[str, Any]:
        """The object that a text is.

        A bare ``NaN``, as ComfyUI writes it, a byte order mark and trailing NULs are accepted.

        Raises:
            ValueError: It is none, or too large, or ambiguous; the message says which.
        """
        body = text.strip("\0\ufeff \t\r\n")
        if not body.startswith("{"):
            raise ValueError("is no JSON object")
        characters, values = len(body), body.count(",")
        containers = body.count("{") + body.count("[")
        if characters > self.characters or containers > self.containers or values > self.values:
            raise ValueError("holds more JSON than generators write")
        self.characters -= characters
        self.containers -= containers
        self.values -= values
        return _parsed(body)


def _parsed(body: str) -> dict[str, Any]:
    try:
        value = json.loads(body, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("holds JSON that is nested too deeply") from None
    except json.JSONDecodeError:
        raise ValueError("holds damaged JSON") from None
    except _Twice:
        raise ValueError("holds JSON with a key that occurs twice") from None
    except ValueError:  # Python's limit on integers
        raise ValueError("holds a number of too many digits") from None
    assert isinstance(value, dict)  # it begins with a brace
    return value


class _Twice(ValueError):
    """A key occurs twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a key that occurs twice makes it ambiguous."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _Twice
    return values
