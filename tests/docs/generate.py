"""Write the generated parts of the guides: ``python tests/docs/generate.py``.

A generated part stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; test_docs.py
fails when one is out of date.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from unprompt import DatasetSpec, PredictorSpec, TextEncoderSpec
from unprompt._config import models
from unprompt._config.location import Location
from unprompt._registry.plugins import Registry
from unprompt.contracts import hookspecs
from unprompt.errors import PluginError
from unprompt.train.recipe import OBJECTIVES, RecipeConfig

ROOT = Path(__file__).parents[2]


def key_table(model: type[BaseModel], without: Collection[str] = ()) -> str:
    """Every key that a model takes, nested ones with their path, but for those in ``without``.

    A key that several models of a union have is one row: their types and what they say of it,
    with the default of the first, which is the default model.
    """
    merged: dict[str, list[list[str]]] = {}
    for key, *cells in _rows(model, "", without):
        merged.setdefault(key, []).append(cells)
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, variants in merged.items():
        types, defaults, meanings = (
            list(dict.fromkeys(column)) for column in zip(*variants, strict=True)
        )
        cells = [key, " or ".join(types), defaults[0], " ".join(meanings)]
        rows.append(" | ".join(["", *cells, ""]).strip())
    return "\n".join(rows)


def recipe_tables() -> str:
    """The keys of every training recipe, and those of each objective."""
    parts = [key_table(RecipeConfig)]
    for objective, model in OBJECTIVES.items():
        own = key_table(model, without=RecipeConfig.model_fields.keys())
        parts.append(f"With `objective: {objective}` also:\n\n{own}")
    return "\n\n".join(parts)


def _rows(
    model: type[BaseModel], prefix: str, without: Collection[str] = ()
) -> Iterator[list[str]]:
    for name, field in model.model_fields.items():
        if name in without:
            continue
        default = _default(field)
        yield [f"`{prefix}{name}`", _type(field.annotation), default, str(field.description)]
        for inner in _models(field.annotation):
            yield from _rows(inner, f"{prefix}{name}.")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        given = value.model_dump(mode="json", exclude_defaults=True)
        return f"`{json.dumps(given)}`" if given else "as below"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`" if value else "none"
    text = str(getattr(value, "text", value))
    return f"`{text}`" if value not in (None, [], {}, "") else "none"


NAMES = {float: "number", int: "whole number", str: "text", bool: "true or false", Location: "path"}


def _type(annotation: Any) -> str:
    """As a reader of YAML would say it."""
    if annotation in NAMES:
        return NAMES[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        before = [mark for mark in inner[1:] if isinstance(mark, BeforeValidator)]
        return _type(before[0].json_schema_input_type if before else inner[0])
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(kind) for kind in inner if kind is not NoneType))
    if annotation is Any:
        return "anything"
    if origin in (tuple, list):
        kinds = dict.fromkeys(_type(one) for one in inner if one is not Ellipsis)
        return f"list of {' or '.join(kinds)}"
    known = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    if known or origin in (dict, Mapping):
        return "map"
    raise TypeError(f"no word for {annotation}")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def plugin_options() -> str:
    """The options of every plugin that this project ships."""
    registry = Registry()
    kinds: tuple[type[Any], ...] = (PredictorSpec, DatasetSpec, TextEncoderSpec)
    parts = []
    for claim in registry.claims:
        if claim.distribution != "unprompt":
            continue
        for kind in kinds:
            with suppress(PluginError):  # it offers another kind
                spec: Any = registry.spec(claim.name, kind)
                parts.append(f"### `{spec.name}`\n\n{spec.summary}.\n\n{key_table(spec.options)}")
    return "\n\n".join(parts)


def hook_table() -> str:
    """Every hook with its signature and docstring."""
    parts = []
    for name, function in vars(hookspecs).items():  # in the order of a plugin's life
        if name.startswith("unprompt_"):
            signature = str(inspect.signature(function)).replace("'", "")
            body = inspect.getdoc(function) or ""
            parts.append(f"### `{name}{signature}`\n\n```text\n{body}\n```")
    return "\n\n".join(parts)


PARTS: dict[str, dict[str, Callable[[], str]]] = {
    "ensembles/README.md": {
        "ensemble": lambda: key_table(models.EnsembleConfig),
        "options": plugin_options,
    },
    "experiments/README.md": {
        "experiment": lambda: key_table(models.ExperimentConfig),
        "recipe": recipe_tables,
    },
    "plugins/README.md": {"hooks": hook_table},
}


def filled(path: str) -> str:
    """A guide's text with its generated parts as they should be."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for name, make in PARTS[path].items():
        text, count = _replace(text, name, make())
        if count != 1:
            raise ValueError(f"{path}: expected one part {name!r}, found {count}")
    return text


def _replace(text: str, name: str, part: str) -> tuple[str, int]:
    """The text with the part put between its marks, and how many times they occur."""
    marks = f"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
    return re.subn(marks, lambda m: f"{m[1]}\n{part}\n\n{m[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    for guide in PARTS:
        (ROOT / guide).write_text(filled(guide), encoding="utf-8")
