"""What YAML may say about a ``clip-blip`` member."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from unprompt import Model, refuse_options, unread_option
from unprompt.towers import NamedSource, OpenClipSource, Views
from unprompt_blip.sources import (
    NAMES,
    CaptionerChoice,
    CaptionerConfig,
    FolderTables,
    HubCaptioner,
    NoCaptioner,
    SourceTables,
    Table,
    TablesChoice,
    TablesConfig,
)
from unprompt_blip.template import DEFAULT, FIELDS, fields

Mode = Literal["caption", "classic", "fast", "best", "negative", "template"]

READS: Mapping[Mode, frozenset[str]] = {
    "caption": frozenset({"captioner", "samples"}),
    "classic": frozenset({"captioner", "samples", "flavors"}),
    "fast": frozenset({"captioner", "samples", "max_phrases"}),
    "best": frozenset({"captioner", "samples", "flavors", "max_phrases", "candidates", "chunk"}),
    "negative": frozenset({"max_phrases"}),
    "template": frozenset({"template", "captioner", "samples", "flavors"}),
}
"""Of the options that not every mode reads, those that a mode does."""

NAMED = {"captioner": ("caption",), "samples": ("caption",), "flavors": ("flavors", "negative")}
"""Options that mode template reads only where its template names one of these fields."""


class InterrogatorOptions(Model):
    """Options of ``clip-blip``; those that the mode does not read may not be given."""

    backbone: OpenClipSource = Field(
        default=NamedSource(model="ViT-H-14", pretrained="laion2b_s32b_b79k"),
        description="An open_clip model, to rank phrases with.",
    )
    mode: Mode = Field(
        default="template",
        description="What the text is. caption: the caption alone. template: see `template`. "
        "classic: clip-interrogator's sentence. fast: the caption and the nearest phrases. best: "
        "phrases are added one by one as long as they help, and the best of all modes is taken. "
        "negative: the phrases that fit least.",
    )
    template: str = Field(
        default=DEFAULT,
        description="Of mode template: {caption} {medium} {movement} {artist} {trending} "
        "{flavors} {negative}; what is empty is left out with its comma.",
    )
    captioner: CaptionerChoice = Field(
        default=HubCaptioner(model="blip-large"),
        description="Writes the caption; `none`: the text starts with the phrases. Of every mode "
        "but negative.",
    )
    samples: int = Field(
        default=0,
        ge=0,
        description="Captions that are sampled of each image, evenly over what the model may say. "
        "The text starts with the one that is nearest to all (minimum Bayes risk), and the "
        "prediction is the mean of their embeddings and the text's. 0: one caption, by search, "
        "and the text's embedding.",
    )
    use: tuple[Table, ...] | None = Field(
        default=None, strict=False, min_length=1, description="Tables to use. Default: all."
    )
    tables: TablesChoice = Field(default=SourceTables(), description="Where phrases come from.")
    exclude: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="Regular expressions; phrases in which one is found, whatever the case, are "
        "not used.",
    )
    flavors: int = Field(
        default=3,
        ge=1,
        description="Phrases that {flavors} and {negative} stand for, in modes template, classic "
        "and best.",
    )
    max_phrases: int = Field(
        default=32, ge=1, description="Phrases at most in modes fast, best and negative."
    )
    candidates: int = Field(
        default=2048,
        ge=1,
        description="Nearest phrases that mode best tries to add, an eighth of them from each "
        "table but flavors.",
    )
    chunk: int = Field(
        default=512, ge=1, description="Texts per forward pass in mode best; only costs memory."
    )
    views: Views = ("identity",)
    evidence: int = Field(default=8, ge=1, description="Phrases to show per image.")

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, raw: object) -> object:
        """Null takes back what an included file says."""
        if not isinstance(raw, dict):
            return raw
        return {key: value for key, value in raw.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """As `_drop_nulls`: every key may be null."""
        reference = handler(schema)
        written = handler.resolve_ref_schema(reference)
        null = {"type": "null"}
        for name, option in written["properties"].items():
            written["properties"][name] = {"anyOf": [option, null]}
        written["additionalProperties"] = null
        return reference

    @field_validator("exclude")
    @classmethod
    def _check_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise _mistake(f"{pattern!r} is no regular expression: {error}") from error
        return patterns

    @field_validator("template")
    @classmethod
    def _check_template(cls, template: str) -> str:
        try:
            named = fields(template)
        except ValueError as error:
            raise _mistake(str(error)) from error
        if not named:
            raise _mistake("names no field: every image would get the same text")
        return template

    @field_validator("tables")
    @classmethod
    def _check_tables(cls, tables: TablesConfig, info: ValidationInfo) -> TablesConfig:
        """Refuse files of tables that are not used, and a place where none is looked for."""
        used = info.data.get("use") or NAMES
        mistakes = [
            unread_option(f"beside `use: [{', '.join(used)}]`", name)
            for name in tables.files
            if name not in used
        ]
        own = isinstance(tables, SourceTables) and tables.source == "unprompt"
        if set(used) <= set(tables.files) and not own:
            key = "folder" if isinstance(tables, FolderTables) else "source"
            mistakes.append(unread_option("where every table that is used has a file", key))
        if mistakes:
            refuse_options(mistakes)
        return tables

    @field_validator(*sorted(frozenset().union(*READS.values())))
    @classmethod
    def _check_read(cls, value: Any, info: ValidationInfo) -> Any:
        why = _unread(str(info.field_name), value, info.data)
        if why:
            refuse_options([unread_option(why)])
        return value

    @model_validator(mode="after")
    def _check_together(self) -> InterrogatorOptions:
        if self.samples and self.used_captioner is None:
            refuse_options([unread_option("without a `captioner`", "samples")])
        if self.samples and self.used_captioner and self.used_captioner.beams > 1:
            refuse_options([unread_option("with `samples`", "captioner", "beams")])
        if self.mode == "caption" and isinstance(self.captioner, NoCaptioner):
            raise _mistake("mode `caption` needs a `captioner`")
        if self.use and self.mode == "negative" and not {"flavors", "negative"} & set(self.use):
            raise _mistake("mode `negative` needs `flavors` or `negative` in `use`")
        if self.use == ("negative",) and self.mode != "negative":
            raise _mistake(f"mode `{self.mode}` needs another table than `negative` in `use`")
        if self.mode == "template" and self.use is not None and self.template != DEFAULT:
            for name in fields(self.template):
                table = FIELDS[name]
                if table is not None and table not in self.use:
                    raise _mistake(f"`template` names {{{name}}}, but `use` leaves out `{table}`")
        return self

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Only what is read, so that what is written can be read again."""
        values = vars(self)
        written: dict[str, Any] = handler(self)
        return {k: v for k, v in written.items() if not _unread(k, values[k], values)}

    @property
    def used_captioner(self) -> CaptionerConfig | None:
        """The captioner; None where no captions are written."""
        if isinstance(self.captioner, NoCaptioner):
            return None
        return None if _unread("captioner", self.captioner, vars(self)) else self.captioner


def _unread(name: str, value: Any, options: Mapping[str, Any]) -> str | None:
    """Why an option is not read, if so.

    Args:
        name: The option.
        value: Its value.
        options: The others, without those that are wrong themselves.
    """
    mode = options.get("mode")
    if mode is None or not any(name in read for read in READS.values()):
        return None
    if isinstance(value, NoCaptioner):  # which says what happens anyway
        return None
    if name not in READS[mode]:
        return f"with `mode: {mode}`"
    wanted = NAMED.get(name, ())
    if mode != "template" or not wanted or {*wanted} & {*fields(options.get("template", DEFAULT))}:
        return None
    return f"with a `template` that does not name {' or '.join(f'{{{field}}}' for field in wanted)}"


def _mistake(what: str) -> PydanticCustomError:
    return PydanticCustomError("interrogator", "{what}", {"what": what})
