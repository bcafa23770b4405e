"""Options without what may not be written: ``SecretStr``, passwords in URLs, ``{$env: NAME}``.

Secrets are masked in everything that is written, and a run cannot be repeated before somebody sets
them; what an environment variable gave is written as its reference, and read again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from unprompt._config.environment import (
    ENV,
    LONG,
    FromEnv,
    References,
    may_hold,
    put,
    shown_reference,
    value_at,
)
from unprompt._config.source import Key, Source, walk
from unprompt._masking import MASK, is_masked, remember, without_secrets

_SECRETS = (Secret, SecretStr, SecretBytes)


def refuse_masked(source: Source) -> None:
    """Note every masked value, as a run's files have them, with what to do about it."""
    for key, value in walk(source.data):
        if isinstance(value, str) and may_hold(key) and is_masked(value):
            source.problem(
                key,
                "is masked, as no secret is kept: set it with "
                f"`--set {_path(source.data, key)}=...`, or write {shown_reference('NAME')} there",
            )


def shareable(options: BaseModel, given: References = ()) -> dict[str, Any]:
    """Options as plain data that may be written: secrets masked, references as references.

    Args:
        options: A plugin's.
        given: What environment variables gave to them.
    """
    plain: dict[str, Any] = options.model_dump(mode="json")
    for reference in _still_there(plain, given):
        put(plain, reference.key, reference.plain)
    return {name: _cleaned(value, given) for name, value in plain.items()}


def keyed(options: BaseModel, given: References = ()) -> dict[str, Any]:
    """Options as part of the key of what is computed with them.

    Secrets are left out: who is asking changes no result. What a variable gave may change it, and
    is there as a slow hash (scrypt), as runs keep hashes of keys, which should not give it away.
    """
    plain: dict[str, Any] = options.model_dump(mode="json")
    for reference in _still_there(plain, given):
        if reference.value != MASK:
            put(plain, reference.key, {ENV: _slow_hash(str(reference.value))})
    return {name: _cleaned(value, ()) for name, value in plain.items()}


def revealed(options: BaseModel) -> dict[str, Any]:
    """Options as plain data from which the same options can be made; not to be written."""
    plain: dict[str, Any] = options.model_dump(mode="json")
    for key, secret in _secrets_in(options, ()):
        with suppress(LookupError, TypeError):  # a serializer of the model's own made it another
            put(plain, key, secret)
    return plain


def remember_options(options: BaseModel, given: References = ()) -> None:
    """Mask the secrets of options from now on, in whatever this process says."""
    for reference in given:
        remember(reference.text, shown_reference(reference.name), shortest=LONG)
    for _, secret in _secrets_in(options, ()):
        remember(secret)


def secret_keys(model: type[BaseModel], data: object, key: Key = ()) -> Iterator[Key]:
    """The keys of what a model declares as secret, before anything is checked.

    From then on the values there are masked.

    Args:
        model: A plugin's options model.
        data: What is written.
        key: Where.
    """
    if not isinstance(data, Mapping):
        return
    for name, field in model.model_fields.items():
        for written in {name, field.alias or name, str(field.validation_alias or name)}:
            if written in data:
                yield from _secret_keys(field.annotation, data[written], (*key, written))


def _secret_keys(annotation: Any, data: object, key: Key) -> Iterator[Key]:
    kinds = [*_types_in(annotation)]
    if any(issubclass(kind, _SECRETS) for kind in kinds):
        for below, value in walk(data, key):
            if not isinstance(value, dict | list):
                remember(str(value))
                yield below
        return
    for kind in kinds:
        if issubclass(kind, BaseModel):
            for below, value in walk(data, key):
                yield from secret_keys(kind, value, below)


def _types_in(annotation: Any) -> Iterator[type]:
    """Every class in an annotation such as ``dict[str, SecretStr | None]``."""
    if isinstance(annotation, type):
        yield annotation
    for inner in get_args(annotation):
        yield from _types_in(inner)


def _path(data: Any, key: Key) -> str:
    """A key as ``--set`` takes it: members by their names."""
    steps: list[str] = []
    for step in key:
        data = data[step]
        named = isinstance(step, int) and isinstance(data, Mapping)
        name = data.get("name", data.get("plugin")) if named else None
        steps.append(str(step) if name is None else str(name))
    return ".".join(steps)


def _still_there(plain: Mapping[str, Any], given: References) -> list[FromEnv]:
    """The references whose value options still have: a search may have chosen another."""
    return [
        reference
        for reference in given
        if reference.value is not None and value_at(plain, reference.key) == reference.value
    ]


def _cleaned(plain: Any, given: References) -> Any:
    """Plain data with secrets masked in every text, and what validators made of variables."""
    if isinstance(plain, dict):
        return {name: _cleaned(value, given) for name, value in plain.items()}
    if isinstance(plain, list):
        return [_cleaned(value, given) for value in plain]
    if not isinstance(plain, str):
        return plain
    for reference in given:
        if len(reference.text) >= LONG and reference.text in plain:
            if plain == reference.text:
                return reference.plain
            if not os.path.isabs(reference.text):  # files in one folder are no secret of it
                plain = plain.replace(reference.text, MASK)
    return without_secrets(plain)


def _secrets_in(value: object, key: Key) -> Iterator[tuple[Key, str]]:
    """Every secret that options hold, with its key in their plain data."""
    if isinstance(value, Secret | SecretStr | SecretBytes):
        secret = value.get_secret_value()
        yield key, secret.decode() if isinstance(secret, bytes) else str(secret)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name), (*key, name))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _secrets_in(item, (*key, name))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _secrets_in(item, (*key, i))


@cache
def _slow_hash(text: str) -> str:
    return hashlib.scrypt(text.encode(), salt=b"unprompt", n=1 << 14, r=8, p=1).hex()
