"""Options of which some belong to one choice only: what a choice does not read is a mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import BeforeValidator, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from unprompt._config.base import Model
from unprompt._config.check import did_you_mean
from unprompt._config.options import UNREAD

Pick = Callable[[Mapping[str, Any]], str]


def choice(
    kinds: Mapping[str, type[Model]], pick: Pick, elsewhere: Mapping[str, str] | None = None
) -> BeforeValidator:
    """Annotates a union of models that are told apart by what is written.

    Unlike pydantic's own discriminated unions it keeps the choice out of the places of errors, so
    that they are keys of the YAML file, and says of a key that belongs to another choice so.

    Args:
        kinds: Each choice as an error line names it -> its model.
        pick: What is written -> the choice; may raise what `refuse_options` raises.
        elsewhere: Keys that no choice has, with what an error line says of them.
    """
    return BeforeValidator(Choice(kinds, pick, elsewhere or {}))


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What `choice` puts before a union: it takes what the model that is picked takes."""

    kinds: Mapping[str, type[Model]]
    pick: Pick
    elsewhere: Mapping[str, str]

    def __call__(self, raw: object, info: ValidationInfo) -> object:
        """The model; raises what `refuse_options` raises."""
        if isinstance(raw, Model):
            return raw
        label = self.pick(raw) if isinstance(raw, dict) else next(iter(self.kinds))
        kind = self.kinds[label]
        if isinstance(raw, dict):  # null takes back what an included file says
            raw = {k: v for k, v in raw.items() if v is not None or k in kind.model_fields}
        try:
            return kind.model_validate(raw, context=info.context)
        except ValidationError as error:
            known = {**self.elsewhere, **_unread(self.kinds, label)}
            refuse_options([_worded(detail, kind, known) for detail in error.errors()])


def choice_by_name(key: str, default: str, kinds: Mapping[str, type[Model]]) -> BeforeValidator:
    """A `choice` that one key names.

    Args:
        key: Such as ``name``.
        default: Its value where it is not written.
        kinds: Each value -> its model.
    """
    labels = {value: f"`{key}: {value}`" for value in kinds}

    def pick(raw: Mapping[str, Any]) -> str:
        value = raw.get(key, default)
        if isinstance(value, str) and value in labels:
            return labels[value]
        *first, last = map(repr, kinds)
        expected = {"expected": f"{', '.join(first)} or {last}"}
        error = InitErrorDetails(type="literal_error", loc=(key,), input=value, ctx=expected)
        refuse_options([error])

    return choice({labels[value]: kind for value, kind in kinds.items()}, pick)


def unread_option(why: str, *key: str) -> InitErrorDetails:
    """The error for an option that is not read, for `refuse_options`.

    Args:
        why: Completes ``has no effect``.
        key: The option, inside the value that is validated; nothing: that value.
    """
    error = PydanticCustomError(UNREAD, "has no effect {why}", {"why": why})
    return InitErrorDetails(type=error, loc=key, input=None)


def refuse_options(mistakes: Sequence[InitErrorDetails]) -> NoReturn:
    """Raise errors from a validator, each at its own key.

    Raises:
        ValidationError: Pydantic puts the place of the validated value before each key.
    """
    raise ValidationError.from_exception_data("options", list(mistakes))


def _unread(kinds: Mapping[str, type[Model]], label: str) -> dict[str, str]:
    """What is wrong with each key that only other choices have."""
    owners: dict[str, list[str]] = {}
    for other, kind in kinds.items():
        for key in kind.model_fields.keys() - kinds[label].model_fields.keys():
            owners.setdefault(key, []).extend([other] if other != f"`{key}`" else [])
    return {
        key: f"with {label}" + (f": it belongs to {' and '.join(others)}" if others else "")
        for key, others in owners.items()
    }


def _worded(detail: ErrorDetails, kind: type[Model], known: Mapping[str, str]) -> InitErrorDetails:
    """One error of a model, in our words where its key is not the model's."""
    location, key = detail["loc"], str(detail["loc"][-1]) if detail["loc"] else ""
    error = PydanticCustomError(detail["type"], detail["msg"], detail.get("ctx"))
    if detail["type"] == "extra_forbidden" and len(location) == 1:
        if key in known:
            return unread_option(known[key], key)
        near = did_you_mean(key, {*kind.model_fields, *known})
        error = PydanticCustomError("unknown_key", "unknown key{near}", {"near": near})
    return InitErrorDetails(type=error, loc=location, input=detail["input"])
