"""``{$env: NAME}`` in YAML: read from the environment with the file, and never written out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel

from unprompt._config.source import Key, Source, walk
from unprompt._masking import remember
from unprompt.types import PlainData

ENV = "$env"
STORAGE: Key = ("search", "storage")

LONG = 8
"""Letters from which the value of a variable is looked for in other text: it may be no secret."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class FromEnv:
    """A value that an environment variable gave.

    Attributes:
        key: Where it is, inside a plugin's options.
        name: The variable's.
        text: The variable's value.
        value: What became of it, as the options are written; None where it is not to be found.
    """

    key: Key
    name: str
    text: str
    value: PlainData

    @property
    def plain(self) -> dict[str, str]:
        """As YAML holds it."""
        return {ENV: self.name}


References: TypeAlias = tuple[FromEnv, ...]


def resolve(source: Source) -> None:
    """Put the values of environment variables in the place of their references.

    Notes references that are wrong, stand where there can be none, or name no variable.
    """
    for key, value in list(walk(source.data)):
        if isinstance(value, Mapping) and ENV in value:
            what = _mistake(key, value)
            if what is not None:
                source.problem(key, what)
                put(source.data, key, None)
            else:
                name = source.env[key] = value[ENV]
                put(source.data, key, os.environ[name])
                remember(os.environ[name], shown_reference(name), shortest=LONG)


def shown_reference(name: str) -> str:
    """A reference as one line of YAML."""
    return f"{{{ENV}: {name}}}"


def from_environment(text: str) -> str:
    """What ``{$env: NAME}`` stands for; any other text as it is.

    Raises:
        LookupError: There is no such variable.
    """
    match = re.fullmatch(r"\{\$env: (\w+)\}", text)
    return text if match is None else os.environ[match[1]]


def reference_at(source: Source, key: Key) -> str | None:
    """The variable that gave the value at a key, or the one around it; None where none did."""
    names = (source.env.get(key[:length]) for length in range(len(key), 0, -1))
    return next((name for name in names if name is not None), None)


def references(source: Source, key: Key, options: BaseModel) -> References:
    """What environment variables gave to options.

    Args:
        source: Where the options come from.
        key: Where they are in it.
        options: As they were read.
    """
    plain = options.model_dump(mode="json")
    inside = {at[len(key) :]: name for at, name in source.env.items() if at[: len(key)] == key}
    return tuple(
        FromEnv(at, name, os.environ.get(name, ""), value_at(plain, at))
        for at, name in inside.items()
    )


def may_hold(key: Key) -> bool:
    """Whether a reference, and so a secret, may stand at a key."""
    return "options" in key[:-1] or key == STORAGE


def value_at(plain: Any, key: Key) -> Any:
    """The value at a key of plain data; None where there is none."""
    for step in key:
        if isinstance(plain, Mapping):
            plain = plain.get(str(step))
        elif isinstance(plain, Sequence) and isinstance(step, int) and step < len(plain):
            plain = plain[step]
        else:
            return None
    return plain


def put(plain: Any, key: Key, value: object) -> None:
    """Set the value at a key that plain data has; the whole of it cannot be replaced."""
    for step in key[:-1]:
        plain = plain[step]
    if key:
        plain[key[-1]] = value


def _mistake(key: Key, value: Mapping[str, object]) -> str | None:
    """What is wrong with a reference."""
    name = value[ENV]
    if not may_hold(key):
        return f"`{ENV}` can be used for values in options and for search.storage"
    if len(value) > 1:
        others = ", ".join(repr(other) for other in value if other != ENV)
        return f"`{ENV}` stands alone, and there is {others} beside it"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"`{ENV}` should be the name of an environment variable, got {name!r}"
    if name not in os.environ:
        return f"the environment variable {name} is not set"
    return None
