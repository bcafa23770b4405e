"""What YAML may say about a ``clip-blip`` member."""

from __future__ import annotations

import re
from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from unprompt import Location, Model
from unprompt.towers import BackboneConfig, Views
from unprompt_blip.template import FIELDS, SEED, fields

Mode = Literal["caption", "classic", "fast", "best", "negative", "template"]
Table = Literal["mediums", "movements", "artists", "flavors", "trendings", "negative"]
Source = Literal["unprompt", "clip-interrogator"]

CAPTIONERS = {
    "blip-base": "Salesforce/blip-image-captioning-base",
    "blip-large": "Salesforce/blip-image-captioning-large",
    "blip2-opt-2.7b": "Salesforce/blip2-opt-2.7b",
    "florence-2-base": "florence-community/Florence-2-base",
}
"""Short names of captioners, and their hub ids."""

NONE = "none"
CLIP_INTERROGATOR: Source = "clip-interrogator"


class CaptionerConfig(Model):
    """A model that describes a picture in a sentence; a name alone stands for its `model`."""

    model: str | None = Field(
        default=None,
        description="`blip-large` (default), `blip-base`, `blip2-opt-2.7b`, `florence-2-base`, "
        "another hub id of a transformers image-to-text model, or `none`: no caption.",
    )
    folder: Location | None = Field(
        default=None, description="Such a model on this machine: configuration and safetensors."
    )
    beams: int = Field(default=1, ge=1, description="Of the beam search; 1 is greedy.")
    max_tokens: int = Field(default=32, ge=1, description="New tokens at most.")
    min_tokens: int = Field(default=0, ge=0, description="New tokens at least.")
    prompt: str = Field(
        default="",
        description="Text that the caption continues, or the instruction for models that take "
        "one; no part of the caption.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_name(cls, raw: object) -> object:
        if isinstance(raw, str):
            return {"model": raw}
        if isinstance(raw, dict) and raw.get("model") is None and raw.get("folder") is None:
            return {**raw, "model": "blip-large"}
        return raw

    @model_validator(mode="after")
    def _check(self) -> CaptionerConfig:
        if self.model is not None and self.folder is not None:
            raise PydanticCustomError("captioner", "should have either `model` or `folder`")
        if self.min_tokens > self.max_tokens:
            raise PydanticCustomError("captioner", "`min_tokens` is more than `max_tokens`")
        return self

    @property
    def hub_id(self) -> str:
        """The model's repository, its short name resolved."""
        return CAPTIONERS.get(str(self.model), str(self.model))

    def describe(self) -> str:
        """For error lines."""
        return self.folder.text if self.folder else self.hub_id


class TablesConfig(Model):
    """Where phrases come from; a text alone stands for `source` or `folder`."""

    source: Source = Field(
        default="unprompt",
        description="`unprompt`: small tables that come with this plugin. `clip-interrogator`: "
        "the lists of that package, which has to be installed.",
    )
    folder: Location | None = Field(
        default=None, description="Text files called mediums.txt and so on instead of `source`."
    )
    mediums: Location | None = Field(default=None, description="One phrase a line.")
    movements: Location | None = Field(default=None, description="One phrase a line.")
    artists: Location | None = Field(
        default=None, description="One name a line, used as `by NAME` and `inspired by NAME`."
    )
    flavors: Location | None = Field(default=None, description="One phrase a line.")
    trendings: Location | None = Field(default=None, description="One phrase a line.")
    negative: Location | None = Field(default=None, description="One phrase a line.")

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, raw: object) -> object:
        if not isinstance(raw, str):
            return raw
        return {"source" if raw in get_args(Source) else "folder": raw}


class InterrogatorOptions(Model):
    """Options of ``clip-blip``."""

    backbone: BackboneConfig = Field(
        default=BackboneConfig(model="ViT-H-14", pretrained="laion2b_s32b_b79k"),
        description="An open_clip model, to rank phrases with.",
    )
    captioner: CaptionerConfig = Field(
        default=CaptionerConfig(model="blip-large"),
        description="Writes the caption; `none`: the text starts with the phrases.",
    )
    tables: TablesConfig = Field(default=TablesConfig(), description="Where phrases come from.")
    use: tuple[Table, ...] | None = Field(
        default=None, strict=False, min_length=1, description="Tables to use. Default: all."
    )
    exclude: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="Regular expressions; phrases in which one is found, whatever the case, are "
        "not used.",
    )
    mode: Mode = Field(
        default="template",
        description="What the text is. caption: the caption alone. template: see `template`. "
        "classic: clip-interrogator's sentence. fast: the caption and the nearest phrases. best: "
        "phrases are added one by one as long as they help, and the best of all modes is taken. "
        "negative: the phrases that fit least.",
    )
    template: str = Field(
        default=SEED,
        description="Of mode `template`: {caption} {medium} {movement} {artist} {trending} "
        "{flavors} {negative}; what is empty is left out with its comma.",
    )
    flavors: int = Field(default=3, ge=1, description="Phrases that {flavors} stands for.")
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
    evidence: int = Field(default=8, ge=1, description="Phrases to show per picture.")

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
            raise _mistake("names no field: every picture would get the same text")
        return template

    @model_validator(mode="after")
    def _check_together(self) -> InterrogatorOptions:
        if self.mode == "caption" and self.captioner.model == NONE:
            raise _mistake("mode `caption` needs a `captioner`")
        if self.use and self.mode == "negative" and not {"flavors", "negative"} & set(self.use):
            raise _mistake("mode `negative` needs `flavors` or `negative` in `use`")
        if self.use == ("negative",) and self.mode != "negative":
            raise _mistake(f"mode `{self.mode}` needs another table than `negative` in `use`")
        if self.mode == "template" and self.use is not None and self.template != SEED:
            for name in fields(self.template):
                table = FIELDS[name]
                if table is not None and table not in self.use:
                    raise _mistake(f"`template` names {{{name}}}, but `use` leaves out `{table}`")
        return self

    @property
    def captions(self) -> bool:
        """Whether captions are written at all."""
        named = self.mode != "template" or "caption" in fields(self.template)
        return self.captioner.model != NONE and self.mode != "negative" and named


def _mistake(what: str) -> PydanticCustomError:
    return PydanticCustomError("interrogator", "{what}", {"what": what})
