"""Validate a source against a pydantic model, with our wording and the source's positions."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from unprompt._config.base import NAME_PATTERN
from unprompt._config.location import PlacedText
from unprompt._config.source import Key, Source
from unprompt.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
}
_LIMITS: dict[str, tuple[str, str]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def validate(source: Source, model: type[M], key: Key = (), data: Any = None) -> M | None:
    """Build ``model`` from what ``source`` holds at ``key``.

    Args:
        source: Takes the mistakes as problems.
        model: What should be there.
        key: Where the data stands in the source.
        data: The data at ``key``; by default all of the source.

    Returns:
        The model, or None when something was wrong.
    """
    value = source.data if data is None and not key else data
    if value is None:
        value = {}
    folder = source.folder(key)
    try:
        return model.model_validate(_placed(source, key, value, folder), context={"folder": folder})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            location = key + detail["loc"]
            source.problem(location, _wording(detail, model))
        return None


def finish(source: Source) -> None:
    """Raise everything that is wrong at once, in the order of the file.

    Raises:
        ConfigError: There are problems.
    """
    # A value that could not be read is also not what the model wants: one mistake, one line.
    first = {(problem.position, problem.key): problem for problem in reversed(source.problems)}
    if first:
        raise ConfigError([str(problem) for problem in sorted(first.values(), key=_order)])


def _placed(source: Source, key: Key, data: Any, folder: Path) -> Any:
    """``data`` where texts from files outside ``folder`` know it: they may be relative paths."""
    if isinstance(data, dict):
        return {name: _placed(source, (*key, name), data[name], folder) for name in data}
    if isinstance(data, list):
        return [_placed(source, (*key, i), item, folder) for i, item in enumerate(data)]
    own = source.folder(key)
    return PlacedText(data, own) if isinstance(data, str) and own != folder else data


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing when nothing is near."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _order(problem: Any) -> tuple[Any, ...]:
    return (problem.position, [str(part) for part in problem.key], problem.what)


def _wording(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """One mistake in our words."""
    kind, got = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        name = str(detail["loc"][-1])
        return f"unknown key{did_you_mean(name, _fields_at(model, detail['loc'][:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind in _EXPECTED:
        return f"should be {_EXPECTED[kind]}, got {_shown(got)}"
    context = detail.get("ctx", {})
    if kind in _LIMITS:
        words, name = _LIMITS[kind]
        return f"should be {words} {context[name]:g}, got {_shown(got)}"
    if kind == "literal_error":
        return f"should be one of {context['expected']}, got {_shown(got)}"
    if kind == "too_short":
        least = context["min_length"]
        return f"should have at least {least} item{'s' * (least != 1)}"
    if kind == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
        return f"should be letters, digits, '-' and '_' only, got {_shown(got)}"
    if kind == "finite_number":
        return f"should be a finite number, got {_shown(got)}"
    text = detail["msg"].removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _shown(value: Any) -> str:
    """A value as an error line shows it: short, with its type where the text hides it."""
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) < 60 else f"the text {value[:57]!r}..."
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a map" if isinstance(value, dict) else "a list"
    return repr(value)


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that would be right at a place inside ``model``."""
    here: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int) or here is None:
            continue
        annotation = here.model_fields[part].annotation if part in here.model_fields else None
        here = next(_models_in(annotation), None)
    return list(here.model_fields) if here else []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside ``list[Model]``, ``Model | None`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
