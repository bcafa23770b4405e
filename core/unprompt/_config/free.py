"""Options that change no result: cached results do not depend on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

MARK = "changes_no_result"
"""In a field's ``json_schema_extra``."""


def is_free(model: type[BaseModel], name: str) -> bool:
    """Whether a model's field is marked as changing no result, or only by rounding."""
    extra = model.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(MARK))


def without_free(options: BaseModel, plain: Mapping[str, Any]) -> dict[str, Any]:
    """Options as plain data, without those that are marked, however deep in nested models.

    Args:
        options: The options.
        plain: The same as plain data.
    """
    kept: dict[str, Any] = {}
    for name, value in plain.items():
        if name not in type(options).model_fields:
            kept[name] = value
        elif not is_free(type(options), name):
            own = getattr(options, name)
            nested = isinstance(own, BaseModel) and isinstance(value, Mapping)
            kept[name] = without_free(own, value) if nested else value
    return kept
