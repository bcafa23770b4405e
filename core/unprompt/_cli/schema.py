"""JSON Schema of ensembles, experiments and recipes, with the options of the plugins here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import typer

from unprompt._config.models import EnsembleConfig, ExperimentConfig
from unprompt._config.schema import model_schemas
from unprompt._config.schema_includes import PARTIAL, either, with_includes
from unprompt._config.schema_nodes import Schema, reference
from unprompt._recipes.recipe import OBJECTIVES
from unprompt._registry.claims import Claim
from unprompt._registry.hooks import Kind
from unprompt._registry.plugins import Registry
from unprompt._registry.schema import part_schemas, placed

DRAFT = "https://json-schema.org/draft/2020-12/schema"
File = Literal["ensemble", "experiment", "recipe"]

_PARTS: dict[str, Kind] = {
    "members": "predictor",
    "data": "dataset",
    "text_encoder": "text_encoder",
    "observers": "observer",
}
"""Keys of our models whose value is a plugin with options, or a list of them."""

_TITLES = {
    "ensemble": "An ensemble of unprompt",
    "experiment": "An experiment of unprompt",
    "recipe": "A training recipe of unprompt",
    None: "A YAML file of unprompt",
}
MADE_BY = "Made by `unprompt config schema"
"""Begins the comment of every schema that we write."""


def schema_command(kind: File | None) -> None:
    """Print a schema with every plugin of this environment.

    Raises:
        PluginError: As `schema`.
    """
    registry = Registry()
    typer.echo(as_text(schema(kind, registry, registry.claims)), nl=False)


def as_text(made: Schema) -> str:
    """A schema as a file holds it."""
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def schema(
    kind: File | None, registry: Registry, claims: Sequence[Claim], *, others: bool = False
) -> Schema:
    """What a YAML file may hold.

    Args:
        kind: Of the file; None: any, told apart as `config validate` does.
        registry: Loads the plugins.
        claims: The plugins whose options are described.
        others: Whether plugins that are not among them may be named, with any options.

    Raises:
        PluginError: A plugin fails to load; a line for each that does.
    """
    models, definitions = model_schemas([EnsembleConfig, ExperimentConfig, *OBJECTIVES.values()])
    ensemble, experiment, *recipes = models
    definitions = with_includes(placed(definitions, _PARTS))
    definitions |= part_schemas(registry, claims, others=others)
    definitions |= _recipe(dict(zip(OBJECTIVES, recipes, strict=True)))
    roots = {"ensemble": ensemble, "experiment": experiment, "recipe": "recipe"}
    body = reference(roots[kind]) if kind else _any_file(roots)
    command = "`".join([MADE_BY + (f" {kind}" if kind else ""), ""])
    return {
        "$schema": DRAFT,
        "$comment": f"{command}; run it again after plugins were installed or removed.",
        "title": _TITLES[kind],
        "allOf": [body],
        "$defs": _used(body, definitions),
    }


def _recipe(models: dict[str, str]) -> dict[str, Schema]:
    """Recipes are told apart by their objective."""

    def cases(form: str) -> list[Schema]:
        return [
            {"if": _says("objective", objective), "then": reference(name + form)}
            for objective, name in models.items()
        ]

    objective = {"properties": {"objective": {"enum": [*models]}}}
    whole = {"type": "object", "required": ["objective"], **objective, "allOf": cases("")}
    part = {
        "type": "object",
        "if": {"required": ["objective"]},
        "then": {"allOf": cases(PARTIAL)},
        "else": {"anyOf": [reference(name + PARTIAL) for name in models.values()]},
    }
    return {"recipe": either(reference(f"recipe{PARTIAL}"), whole), f"recipe{PARTIAL}": part}


def _any_file(roots: dict[str, str]) -> Schema:
    """As `config.load_any` tells files apart; what is included may decide, too."""
    unsaid = either(
        {"anyOf": [reference(name + PARTIAL) for name in roots.values()]},
        reference(roots["experiment"]),
    )
    recipe = {"if": {"required": ["objective"]}, "then": reference("recipe"), "else": unsaid}
    return {"if": {"required": ["members"]}, "then": reference(roots["ensemble"]), "else": recipe}


def _says(key: str, value: str) -> Schema:
    return {"properties": {key: {"const": value}}, "required": [key]}


def _used(body: Schema, definitions: dict[str, Schema]) -> dict[str, Schema]:
    """The definitions that ``body`` leads to, by name."""
    used: set[str] = set()
    waiting = [*_references(body)]
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += _references(definitions[name])
    return {name: definitions[name] for name in sorted(used)}


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _references(item)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix("#/$defs/")
            else:
                yield from _references(value)
