"""Options that a reader can copy into YAML: made up where they are required, else the defaults."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from unprompt._config.location import Location
from unprompt.errors import first_line
from unprompt.types import Json


def example_options(model: type[BaseModel]) -> tuple[dict[str, Json], str | None]:
    """What YAML could say: values of the right type for required keys, defaults for the others.

    A field's own ``examples`` come first. Keys without a value, and defaults that cannot be
    written, such as a secret, are left out.

    Returns:
        The options, and why the model refuses them; None: it takes them.
    """
    required = {
        name: _made_up(field, name)
        for name, field in model.model_fields.items()
        if field.is_required()
    }
    try:
        options = model.model_validate(required)
    except ValidationError as error:
        first = error.errors()[0]
        return required, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except Exception as error:  # noqa: BLE001  # a validator of a plugin may raise anything
        return required, first_line(error)
    try:
        written: dict[str, Json] = options.model_dump(mode="json", exclude_none=True)
        model.model_validate(written)
    except Exception:  # noqa: BLE001  # as above
        return required, None
    return {name: required.get(name, value) for name, value in written.items()}, None


def _made_up(field: FieldInfo, name: str) -> Json:
    if field.examples:
        return field.examples[0]
    return _value(field.annotation, name, _least(field.metadata))


def _least(metadata: list[Any]) -> float:
    """The smallest value that the constraints of a number leave, or 1."""
    lowest: float = 1
    for item in metadata:
        if (least := getattr(item, "ge", None)) is not None:
            lowest = least
        elif (above := getattr(item, "gt", None)) is not None:
            lowest = above + 1
        elif (most := getattr(item, "le", None)) is not None and most < lowest:
            lowest = most
        elif (below := getattr(item, "lt", None)) is not None and below <= lowest:
            lowest = below / 2
    return lowest


def _value(annotation: Any, name: str, least: float) -> Json:
    """A value of a type, for the key ``name``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(inner[0], name, least)
    if origin is Literal:
        return inner[0]
    if origin in (Union, UnionType):
        return _value(next(kind for kind in inner if kind is not NoneType), name, least)
    if origin in (list, tuple, set, frozenset):
        kinds = [kind for kind in inner if kind is not Ellipsis]
        return [_value(kind, name, 1) for kind in kinds]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return {key: _made_up(field, key) for key, field in fields if field.is_required()}
    simple: dict[Any, Json] = {
        Location: f"path/to/{name}",
        bool: True,
        int: round(least),
        float: float(least),
        dict: {},
    }
    return {} if origin is dict else simple.get(annotation, name)
