"""JSON Schema where YAML names a plugin: the name decides what the options may be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unprompt._config.models import PartConfig
from unprompt._config.schema import model_schemas
from unprompt._config.schema_includes import ENV, PARTIAL, either, with_includes
from unprompt._config.schema_nodes import (
    NULL,
    VALUES,
    Schema,
    described,
    or_else,
    reference,
    without_words,
)
from unprompt._registry.boundary import loading
from unprompt._registry.claims import Claim
from unprompt._registry.hooks import KINDS, Kind, Spec
from unprompt._registry.plugins import Registry
from unprompt._registry.wording import one_line
from unprompt.errors import PluginError

_ENV: Schema = {
    "type": "object",
    "description": "The value of an environment variable, read when the file is used.",
    "properties": {
        "$env": {
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "description": "Its name.",
        }
    },
    "required": ["$env"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a plugin offers under which names.

    Attributes:
        claim: The plugin.
        alone: Whether its name alone means it, not only ``distribution:name``.
        summary: For editors.
        options: The name of its options' definition; None: it takes none.
        required: Whether some option has to be given.
    """

    claim: Claim
    alone: bool
    summary: str
    options: str | None = None
    required: bool = False


def part_schemas(registry: Registry, claims: Sequence[Claim], *, others: bool) -> dict[str, Schema]:
    """A definition for each kind of part, under the kind's name, and those of all options.

    Args:
        registry: Loads the plugins.
        claims: The plugins to describe.
        others: Whether plugins that are not among them may be named, with any options.

    Raises:
        PluginError: With one line for each plugin that fails to load or to describe its options.
    """
    made: dict[str, Schema] = {ENV: _ENV}
    offers: dict[Kind, list[_Offer]] = {kind: [] for kind in KINDS.values()}
    errors: list[PluginError] = []
    references = [claim.reference for claim in claims]
    for claim in claims:
        alone = sum(other.name == claim.name for other in claims) == 1
        if references.count(claim.reference) > 1:  # two files of one name: nothing means either
            continue
        try:
            for kind, offer, options in _offers(registry, claim, alone=alone):
                offers[kind].append(offer)
                made |= options
        except PluginError as error:
            errors.append(error)
    if errors:
        lines = [line for error in errors for line in error.problems]
        raise PluginError(lines) from ExceptionGroup("plugins", errors)
    for kind, known in offers.items():
        whole, part = (_part(known, others=others, form=form) for form in ("", PARTIAL))
        made[kind] = either(reference(kind + PARTIAL), whole)
        made[kind + PARTIAL] = part
    return made


def described_plugins(registry: Registry) -> tuple[list[Claim], list[str]]:
    """The plugins that `part_schemas` can describe, and what is wrong with each other one."""
    claims: list[Claim] = []
    problems: list[str] = []
    for claim in registry.claims:
        try:
            part_schemas(registry, [claim], others=True)
            claims.append(claim)
        except PluginError as error:
            problems += error.problems
    return claims, problems


def _offers(
    registry: Registry, claim: Claim, *, alone: bool
) -> Iterator[tuple[Kind, _Offer, dict[str, Schema]]]:
    """Everything that a plugin offers, with the definitions of its options."""
    name = registry.reference(claim)
    models: Mapping[type[Any], Kind] = KINDS
    for model, kind in models.items():
        spec = registry.offered(name, model)
        if spec is not None:
            made, options = _options(claim, spec, kind, alone=alone)
            offer = _Offer(claim, alone, one_line(spec.summary, str), made, _needed(options[made]))
            yield kind, offer, options
        elif kind == "observer" and registry.follows_runs(name):
            yield kind, _Offer(claim, alone, "lifecycle hooks"), {}


def _options(claim: Claim, spec: Spec, kind: Kind, *, alone: bool) -> tuple[str, dict[str, Schema]]:
    """The name of the definition of a spec's options, and all definitions that it needs."""
    owner = [] if alone else [claim.distribution]
    prefix = ".".join([kind, *(_safe(word) for word in (*owner, claim.name)), ""])
    with loading(claim, ": its options cannot be written as JSON Schema: "):
        [name], definitions = model_schemas([spec.options], prefix)
        plain = json.loads(json.dumps(definitions, allow_nan=False))
        return name, with_includes({key: _or_env(schema) for key, schema in plain.items()})


def _needed(options: Schema) -> bool:
    """Whether some option has to be given."""
    return bool(options.get("else", options).get("required"))


def _part(offers: Sequence[_Offer], *, others: bool, form: str) -> Schema:
    """What a map with the keys ``plugin`` and ``options``, or a name alone, may be."""
    known: list[Schema] = [
        {"const": offer.claim.name, "description": offer.summary} for offer in offers if offer.alone
    ]
    if offers:
        full = "|".join(_full_name(offer.claim) for offer in offers)
        known.append({"type": "string", "pattern": f"^(?:{full})$"})
    if others or not offers:
        known.append({"type": "string"} if others else {"not": {}})
    names: Schema = {"anyOf": known}
    described_as = {"description": PartConfig.model_fields["plugin"].description}
    plugin = described(described_as, or_else(names, NULL) if form else names)
    cases = [_case(offer, form) for offer in offers]
    alone = {"if": {"type": "string"}, "then": names}  # an observer may be its name
    return {"properties": {"plugin": plugin}, "allOf": [*cases, alone]}


def _case(offer: _Offer, form: str) -> Schema:
    """Which options a plugin has, where it is the one that is named."""
    wanted: list[Schema] = [{"type": "string", "pattern": f"^{_full_name(offer.claim)}$"}]
    if offer.alone:
        wanted.insert(0, {"const": offer.claim.name})
    options: Schema = {"type": "object", "maxProperties": 0}
    if offer.options:
        options = reference(offer.options + form)
    then: Schema = {"properties": {"options": or_else(options, NULL) if form else options}}
    if offer.required and not form:
        then["required"] = ["options"]
    named = {"properties": {"plugin": {"anyOf": wanted}}, "required": ["plugin"]}
    return {"if": named, "then": then}


def _full_name(claim: Claim) -> str:
    """A regular expression for ``distribution:name``, whatever the distribution's spelling."""
    words = [
        "".join(
            f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in w
        )
        for w in re.split(r"[-_.]+", claim.distribution)
    ]
    return f"{'[-_.]+'.join(words)}:{re.escape(claim.name)}"


def _or_env(schema: Any) -> Any:
    """``schema``, where every value in it may come from the environment."""
    if isinstance(schema, list):
        return [_or_env(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in VALUES:
            made[key] = value
        elif key in ("properties", "patternProperties"):
            made[key] = {name: _value(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties"):
            made[key] = _value(value)
        elif key == "prefixItems":
            made[key] = [_value(item) for item in value]
        else:
            made[key] = _or_env(value)
    return made


def _value(schema: Any) -> Any:
    return schema if schema == NULL else or_else(_or_env(schema), reference(ENV))


def _safe(name: str) -> str:
    """Part of a definition's name: letters that mean something in a reference are numbers."""
    return re.sub(r"[^A-Za-z0-9-]", lambda letter: f"_{ord(letter[0]):x}_", name)


def placed(definitions: Mapping[str, Schema], kinds: Mapping[str, Kind]) -> dict[str, Schema]:
    """Models' definitions, whose keys name parts, and a study's storage, as YAML may write them.

    Args:
        definitions: Of our models.
        kinds: Key -> the kind of part that it holds, or a list of which it holds.
    """
    made = {name: dict(schema) for name, schema in definitions.items()}
    for schema in made.values():
        keys = dict(schema.get("properties", {}))
        for key, kind in kinds.items():
            if key in keys:
                keys[key] = _of_kind(keys[key], kind)
        if "storage" in keys:  # of a search; it may hold a password
            keys["storage"] = _value(keys["storage"])
        if keys:
            schema["properties"] = keys
    return made


def _of_kind(schema: Schema, kind: Kind) -> Schema:
    if "items" in schema:
        return schema | {"items": {"allOf": [schema["items"], reference(kind)]}}
    return described(schema, {"allOf": [without_words(schema), reference(kind)]})
