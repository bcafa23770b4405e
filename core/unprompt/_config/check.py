"""Validate a source against a pydantic model; each mistake is one line with its position."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from unprompt._config.base import NAME_PATTERN
from unprompt._config.environment import put, reference_at, shown_reference, value_at
from unprompt._config.location import PlacedText
from unprompt._config.secrets import secret_keys
from unprompt._config.source import Key, Position, Problem, Source, parse
from unprompt._masking import MASK
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
_TYPED = {"int_type", "float_type", "bool_type"}
"""Mistakes of a text that may be a number: what a variable gives is a text."""

_LIMITS: dict[str, tuple[str, str]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}

_SHOWN = 50
"""Mistakes that are printed; the others are counted."""


def validate(source: Source, model: type[M], key: Key = (), data: Any = None) -> M | None:
    """Build ``model`` from what ``source`` holds at ``key``.

    Args:
        source: Where the data comes from; mistakes are added to its problems.
        model: The model to build.
        key: The key of the data in the source.
        data: The data at ``key``; by default all of the source.

    Returns:
        The model; None where there are mistakes.
    """
    value = source.data if data is None and not key else data
    if value is None:
        value = {}
    hidden = {*secret_keys(model, value, key)}
    folder = source.folder(key)
    placed, context = _placed(source, key, value, folder), {"folder": folder}
    try:
        try:
            return model.model_validate(placed, context=context)
        except ValidationError as error:
            again = _typed(source, key, placed, error)
            if again is None:
                raise
            return model.model_validate(again, context=context)
    except ValidationError as error:
        for detail in _own(error.errors(include_url=False)):
            location = key + detail["loc"]
            name = reference_at(source, location)
            shown = shown_reference(name) if name else MASK if location in hidden else None
            source.problem(location, _wording(detail, model, shown))
        return None


def _own(details: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without lists that are too short: pydantic does not count what is wrong in them."""
    for detail in details:
        place = detail["loc"]
        inside = (d for d in details if d["loc"][: len(place)] == place != d["loc"])
        if detail["type"] != "too_short" or not any(inside):
            yield detail


def _typed(source: Source, key: Key, data: Any, error: ValidationError) -> Any:
    """``data`` with numbers, true and false where a variable's text should be one; None: nowhere.

    Raises nothing: what is no number stays a text, and is refused again.
    """
    wanted = [key + detail["loc"] for detail in error.errors() if detail["type"] in _TYPED]
    variables = [at for at in source.env if any(at == loc[: len(at)] for loc in wanted)]
    if not variables:
        return None
    copy = deepcopy(data)
    for at in variables:
        value = parse(str(value_at(data, at[len(key) :])), "").data
        if isinstance(value, int | float):
            put(copy, at[len(key) :], value)
    return copy


def finish(source: Source) -> None:
    """Raise the problems of a source as one error, in the order of the file; the first `_SHOWN`.

    Raises:
        ConfigError: There are problems.
    """
    # A value that could not be read does not fit the model either: that is one mistake, not two.
    first = {(problem.position, problem.key): problem for problem in reversed(source.problems)}
    if first:
        shown = sorted(first.values(), key=_order)[:_SHOWN]
        lines = [str(problem) for problem in shown]
        more = len(first) - len(lines)
        mistakes = "mistake" if more == 1 else "mistakes"
        causes = [problem.cause for problem in shown if problem.cause]
        cause = (
            ExceptionGroup("of plugins", causes) if len(causes) > 1 else next(iter(causes), None)
        )
        raise ConfigError([*lines, *[f"{more} more {mistakes}"] * (more > 0)]) from cause


def _placed(source: Source, key: Key, data: Any, folder: Path) -> Any:
    """``data``, its texts from files in other folders as `PlacedText`: they may be paths."""
    if isinstance(data, dict):
        return {name: _placed(source, (*key, name), data[name], folder) for name in data}
    if isinstance(data, list):
        return [_placed(source, (*key, i), item, folder) for i, item in enumerate(data)]
    own = source.folder(key)
    return PlacedText(data, own) if isinstance(data, str) and own != folder else data


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or the empty text where no known name is similar."""
    similar = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {similar[0]!r}?" if similar else ""


def _order(problem: Problem) -> tuple[Position, list[str], str]:
    return (problem.position, [str(part) for part in problem.key], problem.what)


def _wording(detail: ErrorDetails, model: type[BaseModel], hidden: str | None = None) -> str:
    """What is wrong, and what would be right.

    Args:
        detail: Of pydantic.
        model: What was validated.
        hidden: What to show in the place of the value, where that is not to be seen.
    """
    kind, shown = detail["type"], hidden or _shown(detail["input"])
    if kind == "extra_forbidden":
        name = str(detail["loc"][-1])
        return f"unknown key{did_you_mean(name, _fields_at(model, detail['loc'][:-1]))}"
    if kind == "missing":
        return "is missing"
    if kind in _EXPECTED:
        return f"should be {_EXPECTED[kind]}, got {shown}"
    context = detail.get("ctx", {})
    if kind in _LIMITS:
        words, name = _LIMITS[kind]
        limit = context[name] if isinstance(context[name], int) else f"{context[name]:g}"
        return f"should be {words} {limit}, got {shown}"
    if kind == "literal_error":
        return f"should be one of {context['expected']}, got {shown}"
    if kind == "too_short":
        least = context["min_length"]
        return f"should have at least {least} item{'s' * (least != 1)}"
    if kind == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
        return f"should be letters, digits, '-' and '_' only, got {shown}"
    if kind == "finite_number":
        return f"should be a finite number, got {shown}"
    text = detail["msg"].removeprefix("Value error, ")
    if hidden:
        text = text.replace(repr(detail["input"]), hidden).replace(str(detail["input"]), hidden)
    return text[:1].lower() + text[1:]


def _shown(value: Any) -> str:
    """A value as an error line shows it: short, and marked as text where it is text."""
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
    """The keys that ``model`` has at ``location``."""
    nested: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int) or nested is None:
            continue
        field = nested.model_fields.get(part)
        nested = next(_models_in(field.annotation), None) if field else None
    return list(nested.model_fields) if nested else []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation such as ``list[Model]`` or ``Model | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
