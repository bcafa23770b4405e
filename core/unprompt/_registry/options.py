"""Options models of plugins: what a run writes of them, and what the contract asks of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from unprompt._registry.wording import described
from unprompt.errors import PluginError, first_line


def check_written(options: BaseModel) -> None:
    """Check that options can be written, before anything is computed that cannot be kept.

    Raises:
        PluginError: They hold what JSON has not; the line is without plugin and call.
    """
    try:
        json.dumps(options.model_dump(mode="json"))
    except (TypeError, ValueError) as error:  # pydantic's own error is a ValueError
        raise PluginError(f"cannot be written as JSON: {first_line(error)}") from error


def option_faults(model: type[BaseModel]) -> Iterator[str]:
    """What is wrong with an options model as a class."""
    if not model.model_config.get("frozen"):
        yield "the model is not frozen; derive it from unprompt.Model"
    if model.model_config.get("extra") != "forbid":
        yield "the model takes unknown keys; derive it from unprompt.Model"
    try:
        model.model_json_schema()
    except Exception as error:  # noqa: BLE001  # pydantic's own, or the plugin's
        yield f"no JSON schema can be made: {described(error)}"
    yield from _default_faults(model)


def _default_faults(model: type[BaseModel]) -> Iterator[str]:
    """The defaults that their own fields refuse, or that cannot be written."""
    refused = False
    for name, field in model.model_fields.items():
        if field.is_required() or field.default_factory is not None:
            continue
        try:
            _adapter(field.rebuild_annotation(), model).validate_python(field.default)
        except ValidationError as error:
            yield f"the default of {name} is refused: {error.errors()[0]['msg']}"
            refused = True
    if refused:  # pydantic would warn of what it writes
        return
    try:
        check_written(model())
    except ValidationError:  # an option without a default, or one of several must be given
        return
    except PluginError as error:
        yield f"the defaults {error.problems[0]}"


def _adapter(annotation: Any, model: type[BaseModel]) -> TypeAdapter[Any]:
    """Validates what a field takes, as strictly as its model."""
    config = ConfigDict(strict=bool(model.model_config.get("strict")), arbitrary_types_allowed=True)
    try:
        return TypeAdapter(annotation, config=config)
    except PydanticUserError:  # of a model, which has a configuration of its own
        return TypeAdapter(annotation)
