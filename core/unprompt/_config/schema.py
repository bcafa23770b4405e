"""Models as JSON Schema (draft 2020-12), with the definitions of everything in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from unprompt._config.schema_generator import CHOICE, SCALAR, Accepted
from unprompt._config.schema_nodes import NULL, VALUES, Schema, reference


def model_schemas(
    models: Sequence[type[BaseModel]], prefix: str = ""
) -> tuple[list[str], dict[str, Schema]]:
    """Definitions of models and of everything in them.

    Args:
        models: Pydantic models.
        prefix: Begins the name of every definition, so that those of two plugins do not collide.

    Returns:
        The name of each model's definition, and all definitions; those that refer to each other
        do so below ``#/$defs/``.
    """
    found, document = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="{model}",
        schema_generator=Accepted,
    )
    definitions = cast("dict[str, Schema]", document.get("$defs", {}))
    for name in list(_chosen(list(definitions.values()))):
        if definitions[name].get("additionalProperties") is False:
            definitions[name]["additionalProperties"] = NULL
    named = {name: _renamed(schema, prefix) for name, schema in definitions.items()}
    names = []
    for model in models:
        schema = found[model, "validation"]
        if set(schema) != {"$ref"}:  # it is described by hand, or takes anything
            named[model.__name__] = _renamed(schema, prefix)
        names.append(prefix + str(schema.get("$ref", model.__name__)))
    return names, {prefix + name: schema for name, schema in named.items()}


def _renamed(schema: Any, prefix: str) -> Any:
    """A copy whose references are below ``#/$defs/`` and have the prefix."""
    if isinstance(schema, list):
        return [_renamed(item, prefix) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: v if key in VALUES else _renamed(v, prefix) for key, v in schema.items()}
    if isinstance(name := made.get("$ref"), str):
        made |= reference(prefix + name)
    if isinstance(form := made.get("format"), str) and isinstance(made.get("type"), str):
        del made["format"]  # what an editor takes for a date, a path or an address is narrower
        made["type"] = SCALAR if form.startswith("ip") else made["type"]
    return made


def _chosen(schema: Any) -> Iterator[str]:
    """The definitions that a `choice` picks from; takes its marks away."""
    if isinstance(schema, list):
        for item in schema:
            yield from _chosen(item)
    elif isinstance(schema, dict):
        if schema.pop(CHOICE, False):
            yield from (kind["$ref"] for kind in schema.get("anyOf", [schema]) if "$ref" in kind)
        for value in schema.values():
            yield from _chosen(value)
