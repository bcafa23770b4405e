"""JSON Schema of YAML before it is composed: any map may ``include:`` others.

What a map includes may hold the keys that it lacks, so each definition has two forms. The usual
one is for maps that are complete by themselves. The partial one, whose name ends in `PARTIAL`, is
for maps below an ``include``: nothing is required there, and ``null`` removes a key. Lists are
replaced as a whole, so what is in them is complete again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from unprompt._config.compose import INCLUDE
from unprompt._config.schema_nodes import (
    NULL,
    Schema,
    described,
    or_else,
    reference,
    without_words,
)

PARTIAL = ".partial"
ENV = "env"
"""The definition of ``{$env: NAME}``; it has one form."""

INCLUDED: Schema = {
    "description": "YAML files that this map continues: maps are merged key by key, lists are "
    "replaced, null removes a key, and what is written here wins. Relative to this file; "
    "package:NAME/PATH is in an installed package.",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
    ],
}

_MAPS = ("properties", "patternProperties")
_LISTS = ("anyOf", "oneOf", "allOf")
_INSIDE_LISTS = ("items", "prefixItems", "contains")
_OF_WHOLE_MAPS = (
    *("required", "minProperties", "maxProperties", "propertyNames", "dependentRequired"),
    *("dependentSchemas", "not", "if", "then", "else", "unevaluatedProperties"),
)
"""What can be said of a map only when nothing is merged into it."""


def with_includes(definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """Both forms of every definition."""
    both: dict[str, Schema] = {}
    for name, schema in definitions.items():
        whole = _complete_keys(schema)
        is_map = _may_be_map(schema)
        both[name] = either(reference(name + PARTIAL), whole) if is_map else whole
        both[name + PARTIAL] = partial(schema)
    return both


def either(part: Schema, whole: Schema) -> Schema:
    """``part`` for a map that includes others, ``whole`` for everything else."""
    condition = {"type": "object", "required": [INCLUDE]}
    return described(whole, {"if": condition, "then": part, "else": without_words(whole)})


def complete(schema: Any) -> Any:
    """The form of ``schema`` where nothing above includes anything."""
    if not isinstance(schema, dict):
        return schema
    whole = _complete_keys(schema)
    return either(partial(schema), whole) if _may_be_map(schema) else whole


def partial(schema: Any) -> Any:
    """The form of ``schema`` below an ``include``."""
    if not isinstance(schema, dict):
        return schema
    made = _mapped(
        {key: value for key, value in schema.items() if key not in _OF_WHOLE_MAPS}, partial
    )
    for key in _INSIDE_LISTS:
        if key in schema:
            made[key] = _each(schema[key], complete)
    if isinstance(name := made.get("$ref"), str) and name != reference(ENV)["$ref"]:
        made["$ref"] = name + PARTIAL
    if "oneOf" in made:  # without the keys of what is included more than one may fit
        made["allOf"] = [*made.get("allOf", []), {"anyOf": made.pop("oneOf")}]
    for key in _MAPS:
        if key in made:
            made[key] = {name: or_else(value, NULL) for name, value in made[key].items()}
    if "additionalProperties" in made:
        extra = made["additionalProperties"]
        made["additionalProperties"] = NULL if extra is False else or_else(extra, NULL)
    return _includable(made) if _may_be_map(schema) else made


def _complete_keys(schema: Schema) -> Schema:
    made = _mapped(schema, complete)
    return _includable(made) if _may_be_map(schema) else made


def _includable(schema: Schema) -> Schema:
    """A map's schema that knows the key ``include``."""
    return {**schema, "properties": {**schema.get("properties", {}), INCLUDE: INCLUDED}}


def _mapped(schema: Schema, form: Callable[[Any], Any]) -> Schema:
    """A copy whose inner schemas have another form."""
    made = dict(schema)
    for key in _MAPS:
        if key in made:
            made[key] = {name: form(value) for name, value in made[key].items()}
    for key in (*_LISTS, *_INSIDE_LISTS, "additionalProperties"):
        if key in made:
            made[key] = _each(made[key], form)
    return made


def _each(value: Any, form: Callable[[Any], Any]) -> Any:
    return [form(item) for item in value] if isinstance(value, list) else form(value)


def _may_be_map(schema: Mapping[str, Any]) -> bool:
    """Whether the schema itself, not one that it refers to, speaks of the keys of a map."""
    kinds = schema.get("type", [])
    says = "properties" in schema or "additionalProperties" in schema
    return says or "object" in ([kinds] if isinstance(kinds, str) else kinds)
