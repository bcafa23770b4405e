"""The keys of a model as rows of a table: for ``unprompt plugins show`` and the guides."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from unprompt._config.location import Location

AS_BELOW = "as below"
"""The default of a map whose keys have theirs."""


@dataclass(frozen=True, slots=True)
class OptionRow:
    """One key.

    Attributes:
        key: With its path, such as ``bank.prompts``.
        type: As a reader of YAML would say it, such as ``whole number``.
        limits: What the value has to keep, such as ``>= 1``; empty where nothing.
        default: As YAML would write it; empty where the key is required.
        unit: Of ``json_schema_extra={"unit": ...}``; empty where the field names none.
        meaning: The field's description.
    """

    key: str
    type: str
    limits: str
    default: str
    unit: str
    meaning: str

    @property
    def required(self) -> bool:
        """Whether YAML has to give it; a key inside of another only where that one is given."""
        return not self.default and "." not in self.key


def option_rows(
    model: type[BaseModel], without: Collection[str] = (), *, quote: str = ""
) -> list[OptionRow]:
    """Every key that a model takes, nested ones with their path, but for those in ``without``.

    A key that several models of a union have is one row: their types and what they say of it,
    with the default of the first, which is the default model.

    Args:
        model: Of options, or of a whole file.
        without: Keys of the model to leave out.
        quote: Around each choice of a type, such as a backtick.
    """
    merged: dict[str, list[OptionRow]] = {}
    for row in _rows(model, "", without, (), quote):
        merged.setdefault(row.key, []).append(row)
    return [
        OptionRow(
            key,
            _joined(" or ", [row.type for row in rows]),
            _joined(" or ", [row.limits for row in rows]),
            rows[0].default,
            _joined(" or ", [row.unit for row in rows]),
            _joined(" ", [row.meaning for row in rows]),
        )
        for key, rows in merged.items()
    ]


def _joined(word: str, texts: list[str]) -> str:
    return word.join(text for text in dict.fromkeys(texts) if text)


def _rows(
    model: type[BaseModel],
    prefix: str,
    without: Collection[str],
    above: tuple[type, ...],
    quote: str,
) -> Iterator[OptionRow]:
    for name, field in model.model_fields.items():
        if name in without:
            continue
        extra = field.json_schema_extra
        yield OptionRow(
            key=f"{prefix}{name}",
            type=word_for(field.annotation, quote),
            limits=_limits(field.metadata),
            default=_default(field),
            unit=str(extra.get("unit", "")) if isinstance(extra, dict) else "",
            meaning=field.description or "",
        )
        for inner in _models(field.annotation):
            if inner not in (*above, model):  # a model may hold others of its own kind
                yield from _rows(inner, f"{prefix}{name}.", (), (*above, model), quote)


_LIMITS = {
    "ge": ">= {}",
    "gt": "> {}",
    "le": "<= {}",
    "lt": "< {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
    "pattern": "like {}",
}


def _limits(metadata: list[Any]) -> str:
    """``>= 1, <= 64``, from a field's constraints."""
    given = [
        words.format(value)
        for item in metadata
        for name, words in _LIMITS.items()
        if (value := getattr(item, name, None)) is not None
    ]
    return ", ".join(given)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        given = value.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(given) if given else AS_BELOW
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]" if value else "none"
    if value in (None, [], {}, ""):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "text", value))


_WORDS = {
    float: "number",
    int: "whole number",
    str: "text",
    bool: "true or false",
    Location: "path",
}


def word_for(annotation: Any, quote: str = "") -> str:
    """A type as a reader of YAML would say it; one that nobody has words for, by its name."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        before = [mark for mark in inner[1:] if isinstance(mark, BeforeValidator)]
        written = before[0].json_schema_input_type if before else inner[0]
        return word_for(inner[0] if written is PydanticUndefined else written, quote)
    if origin is Literal:
        return " or ".join(f"{quote}{choice}{quote}" for choice in inner)
    if origin in (Union, UnionType):
        return _joined(" or ", [word_for(kind, quote) for kind in inner if kind is not NoneType])
    if annotation is Any:
        return "anything"
    if origin in (tuple, list, set, frozenset):
        words = [word_for(kind, quote) for kind in inner if kind is not Ellipsis]
        return f"list of {_joined(' or ', words)}" if words else "list"
    known = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    if known or origin in (dict, Mapping) or annotation is dict:
        return "map"
    return str(getattr(annotation, "__name__", annotation))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
