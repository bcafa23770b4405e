"""Pydantic's generator of JSON Schema, made to accept whatever plain data the models accept.

The original describes what a model documents, not all that it takes: in pydantic's lax mode
``"5"`` is an integer, and a validator that runs before a type may take anything. An editor must
not underline what `config validate` accepts, so every such case is described more widely here.
"""

from __future__ import annotations

import re
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema as core

from unprompt._config.choice import Choice
from unprompt._config.location import Location
from unprompt._config.schema_nodes import Schema, described, without_words

CHOICE = "x-unprompt-choice"
"""Marks a `choice`: null is no mistake at a key that another model of it has."""

SCALAR: list[str] = ["string", "number", "boolean"]
"""YAML's; what text or number a date, a duration or a decimal may be is left to its validator."""

_WHOLE = r"^\s*[-+]?[0-9]"
_NUMBER = r"[0-9]|[iI][nN][fF]|[nN][aA][nN]"
_TRUTH = "^[01tTfFyYnNoO]"
_BY_HAND = "__get_pydantic_json_schema__"
_CHANGES_TEXT = ("strip_whitespace", "to_lower", "to_upper")


class Accepted(GenerateJsonSchema):
    """Describes what a core schema accepts of plain data."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As pydantic's, beginning outside of any model."""
        super().__init__(*arguments, **options)
        self._models: list[type[BaseModel]] = [BaseModel]

    # What editors need not see

    def field_title_should_be_set(self, schema: Any) -> bool:
        """A key is its own title."""
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        """A default that is no plain data is left out."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """What has no JSON Schema may be anything."""
        return {}

    # Maps

    def model_schema(self, schema: core.ModelSchema) -> JsonSchemaValue:
        """A model; one with aliases or a constructor of its own may take other keys."""
        cls = cast("type[BaseModel]", schema["cls"])
        self._models.append(cls)
        try:
            made = super().model_schema(schema)
            anything = schema.get("custom_init") or not self._takes_fields(schema["schema"])
        finally:
            self._models.pop()
        made.pop("title", None)
        if anything:
            return described(made, {})
        if cls.model_config.get("alias_generator") or any(
            field.alias or field.validation_alias for field in cls.model_fields.values()
        ):
            made.pop("additionalProperties", None)
            made.pop("required", None)
        return made

    def dict_schema(self, schema: core.DictSchema) -> JsonSchemaValue:
        """A map; keys of YAML are text, whatever they become."""
        return self._of_text_keys(super().dict_schema(schema))

    def ordered_dict_schema(self, schema: Any) -> JsonSchemaValue:
        """As `dict_schema`."""
        return self._of_text_keys(super().ordered_dict_schema(schema))

    def frozendict_schema(self, schema: Any) -> JsonSchemaValue:
        """As `dict_schema`."""
        return self._of_text_keys(super().frozendict_schema(schema))

    def counter_schema(self, schema: Any) -> JsonSchemaValue:
        """As `dict_schema`."""
        return self._of_text_keys(super().counter_schema(schema))

    def _of_text_keys(self, made: Schema) -> Schema:
        for values in made.pop("patternProperties", {}).values():
            made["additionalProperties"] = values  # the pattern may fit `include`
        names = made.get("propertyNames", {})
        if not all(isinstance(name, str) for name in names.get("enum", [0])):
            made.pop("propertyNames", None)
        return made

    # Validators that come first

    def function_before_schema(self, schema: core.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """What it declares with ``json_schema_input_type``, or a `choice`; else anything."""
        if isinstance(schema["function"]["function"], Choice):
            return {**self.generate_inner(schema["schema"]), CHOICE: True}
        return super().function_before_schema(schema) if self._declared(schema) else {}

    def function_wrap_schema(self, schema: core.WrapValidatorFunctionSchema) -> JsonSchemaValue:
        """As `function_before_schema`."""
        return super().function_wrap_schema(schema) if self._declared(schema) else {}

    def _declared(self, schema: Any) -> bool:
        """Whether a validator says what it takes, or the model whose keys it reads does."""
        if schema.get("json_schema_input_schema"):
            return True
        inner = schema["schema"]
        while inner["type"].startswith("function-"):
            inner = inner["schema"]
        bases = [base for base in self._models[-1].__mro__ if base is not BaseModel]
        return inner["type"] == "model-fields" and any(_BY_HAND in vars(base) for base in bases)

    def _takes_fields(self, schema: Any) -> bool:
        """Whether a model takes a map of its fields, and says so."""
        while schema["type"].startswith("function-"):
            if schema["type"] != "function-after" and not self._declared(schema):
                return False
            schema = schema["schema"]
        return True

    # Scalars

    def int_schema(self, schema: core.IntSchema) -> JsonSchemaValue:
        """A whole number; in lax mode also as text."""
        made = super().int_schema(schema)
        return made if self._strict(schema) else _or_text(made, "integer", _WHOLE)

    def float_schema(self, schema: core.FloatSchema) -> JsonSchemaValue:
        """A number; in lax mode also as text."""
        made = super().float_schema(schema)
        return made if self._strict(schema) else _or_text(made, "number", _NUMBER)

    def bool_schema(self, schema: core.BoolSchema) -> JsonSchemaValue:
        """True or false; in lax mode also ``1`` and ``yes``."""
        made = super().bool_schema(schema)
        return made if self._strict(schema) else _or_text(made, "number", _TRUTH)

    def str_schema(self, schema: core.StringSchema) -> JsonSchemaValue:
        """Text; limits hold for what is left after it was changed."""
        made = super().str_schema(schema)
        settings = self._models[-1].model_config
        changed = any(schema.get(key) or settings.get(f"str_{key}") for key in _CHANGES_TEXT)
        if changed or not _is_portable(schema.get("pattern")):
            made.pop("pattern", None)
        if changed:
            made = {"type": "string"}
        if schema.get("coerce_numbers_to_str") or settings.get("coerce_numbers_to_str"):
            return {"type": SCALAR}
        return made

    def enum_schema(self, schema: core.EnumSchema) -> JsonSchemaValue:
        """The values of an enumeration; in lax mode numbers also as text."""
        made = super().enum_schema(schema)
        made.pop("title", None)
        if "missing" in schema:
            return described(made, {})
        if schema.get("sub_type") in ("int", "float"):
            return described(made, {"anyOf": [without_words(made), {"type": SCALAR}]})
        return made

    def literal_schema(self, schema: core.LiteralSchema) -> JsonSchemaValue:
        """The values; for Python ``True`` is 1."""
        made = super().literal_schema(schema)
        values = made.get("enum", [made.get("const")])
        equal = [bool(v) if type(v) is int else int(v) for v in values if v in (0, 1)]
        return {"enum": [*values, *equal]} if equal else made

    def date_schema(self, schema: Any) -> JsonSchemaValue:
        """As `SCALAR`."""
        return {"type": SCALAR}

    time_schema = datetime_schema = timedelta_schema = date_schema
    decimal_schema = fraction_schema = complex_schema = bytes_schema = uuid_schema = date_schema

    def url_schema(self, schema: Any) -> JsonSchemaValue:
        """Text; what a URL is there, is no URI everywhere."""
        return {"type": "string"}

    multi_host_url_schema = url_schema

    def encode_default(self, dft: Any) -> Any:
        """A default as YAML writes it."""
        return dft.text if isinstance(dft, Location) else super().encode_default(dft)

    # Collections and choices

    def set_schema(self, schema: core.SetSchema) -> JsonSchemaValue:
        """A list; what is repeated counts once."""
        made = super().set_schema(schema)
        return {key: made[key] for key in made if key not in ("uniqueItems", "maxItems")}

    def frozenset_schema(self, schema: core.FrozenSetSchema) -> JsonSchemaValue:
        """As `set_schema`."""
        return self.set_schema(cast("core.SetSchema", schema))

    def named_tuple_schema(self, schema: Any) -> JsonSchemaValue:
        """Its values in their order, or by their names."""
        return {"type": ["array", "object"]}

    call_schema = named_tuple_schema

    def tagged_union_schema(self, schema: core.TaggedUnionSchema) -> JsonSchemaValue:
        """Any of its models: each has the tag among its keys."""
        made = super().tagged_union_schema(schema)
        return {"anyOf": made.pop("oneOf")}

    def lax_or_strict_schema(self, schema: core.LaxOrStrictSchema) -> JsonSchemaValue:
        """The wider one."""
        return self.generate_inner(schema["lax_schema"])

    def _strict(self, schema: Any) -> bool:
        return bool(schema.get("strict", self._models[-1].model_config.get("strict")))


def _or_text(schema: Schema, number: str, pattern: str) -> Schema:
    """A number's schema that takes truth values and text, too; limits hold for numbers only."""
    return {**schema, "type": [number, "boolean", "string"], "pattern": pattern}


def _is_portable(pattern: Any) -> bool:
    """Whether an editor reads a pattern as pydantic does."""
    if pattern is None or not isinstance(pattern, str):
        return pattern is None  # flags of a compiled one would be lost
    try:
        re.compile(pattern)
    except re.error:
        return False
    return not re.search(r"\(\?(?!:)|\\[^\w]?[zZApPhH]|\[\[|&&", pattern)
