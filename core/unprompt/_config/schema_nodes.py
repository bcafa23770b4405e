"""Pieces of a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

NULL: Schema = {"type": "null"}

VALUES = ("default", "const", "enum", "examples")
"""What holds values, not schemas."""


def reference(name: str) -> Schema:
    """A reference to a definition."""
    return {"$ref": f"#/$defs/{name}"}


def described(outer: Mapping[str, Any], schema: Schema) -> Schema:
    """``schema`` with what editors show of ``outer``: description, default, deprecation."""
    shown = ("title", "description", "default", "deprecated", "examples")
    return {key: outer[key] for key in shown if key in outer} | schema


def without_words(schema: Schema) -> Schema:
    """``schema`` without what `described` takes over."""
    shown = described(schema, {})
    return {key: value for key, value in schema.items() if key not in shown}


def or_else(schema: Any, other: Schema) -> Any:
    """``schema`` or ``other``, with the words of the first."""
    if not isinstance(schema, dict) or not (bare := without_words(schema)):
        return schema  # anything goes
    choices = bare["anyOf"] if set(bare) == {"anyOf"} else [bare]
    return described(schema, {"anyOf": [*choices, *([] if other in choices else [other])]})
