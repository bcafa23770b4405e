"""Where a ``clip-blip`` member's captions and phrases come from, as YAML says it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt import Location, Model, choice
from unprompt.towers import Origin

CAPTIONERS = {
    "blip-base": "Salesforce/blip-image-captioning-base",
    "blip-large": "Salesforce/blip-image-captioning-large",
    "blip2-opt-2.7b": "Salesforce/blip2-opt-2.7b",
    "florence-2-base": "florence-community/Florence-2-base",
}
"""Short names of captioners, and their hub ids."""

Table = Literal["mediums", "movements", "artists", "flavors", "trendings", "negative"]
NAMES: tuple[Table, ...] = get_args(Table)
Source = Literal["unprompt", "clip-interrogator"]


class NoCaptioner(Model):
    """No caption is written."""

    model: Literal["none"] = Field(default="none", description="`none`: no caption.")


class CaptionerConfig(Model):
    """A model that describes an image in a sentence."""

    beams: int = Field(default=1, ge=1, description="Of the beam search; 1 is greedy.")
    max_tokens: int = Field(default=32, ge=1, description="Tokens at most; see `count`.")
    min_tokens: int = Field(default=0, ge=0, description="Tokens at least; see `count`.")
    count: Literal["new", "all"] = Field(
        default="new",
        description="new: both lengths are those of the caption. all: with the start and the "
        "`prompt` that it continues, as BLIP's own lengths are.",
    )
    prompt: str = Field(
        default="",
        description="Text that the caption continues, or the instruction for models that take "
        "one; no part of the caption.",
    )
    tidy: bool = Field(
        default=True,
        description="Drop stops at the caption's end, and words that follow themselves twice.",
    )

    @property
    @abstractmethod
    def origin(self) -> Origin:
        """Where its files are."""

    def describe(self) -> str:
        """For error lines."""
        return str(self.origin)

    @model_validator(mode="after")
    def _check_tokens(self) -> CaptionerConfig:
        if self.min_tokens > self.max_tokens:
            raise PydanticCustomError("captioner", "`min_tokens` is more than `max_tokens`")
        return self


class HubCaptioner(CaptionerConfig):
    """A captioner of the hub."""

    model: str = Field(
        default="blip-large",
        description="`blip-large` (default), `blip-base`, `blip2-opt-2.7b`, `florence-2-base`, or "
        "another hub id of a transformers image-to-text model.",
    )

    @property
    def origin(self) -> Origin:
        """The model's repository, its short name resolved."""
        return CAPTIONERS.get(self.model, self.model)


class FolderCaptioner(CaptionerConfig):
    """A captioner on this machine."""

    folder: Location = Field(
        description="Such a model on this machine: configuration and safetensors."
    )

    @property
    def origin(self) -> Origin:
        """The folder."""
        return self.folder.path

    def describe(self) -> str:
        """As above."""
        return self.folder.text


def _captioner(raw: Mapping[str, Any]) -> str:
    if raw.get("folder") is None:
        return "`model: none`" if raw.get("model") == "none" else "`model`"
    if raw.get("model") is not None:
        raise PydanticCustomError("captioner", "should have either `model` or `folder`")
    return "`folder`"


_Captioner = Annotated[
    HubCaptioner | NoCaptioner | FolderCaptioner,
    choice(
        {"`model`": HubCaptioner, "`model: none`": NoCaptioner, "`folder`": FolderCaptioner},
        _captioner,
    ),
]
CaptionerChoice = Annotated[
    _Captioner,
    BeforeValidator(
        lambda raw: {"model": raw} if isinstance(raw, str) else raw,
        json_schema_input_type=str | _Captioner,
    ),
]
"""A captioner; a name alone stands for its `model`."""


class TablesConfig(Model):
    """Files for some of the tables."""

    mediums: Location | None = Field(default=None, description="One phrase a line.")
    movements: Location | None = Field(default=None, description="One phrase a line.")
    artists: Location | None = Field(
        default=None, description="One name a line, used as `by NAME` and `inspired by NAME`."
    )
    flavors: Location | None = Field(default=None, description="One phrase a line.")
    trendings: Location | None = Field(default=None, description="One phrase a line.")
    negative: Location | None = Field(default=None, description="One phrase a line.")

    @property
    def files(self) -> dict[Table, Location]:
        """Those that are given."""
        files = {name: getattr(self, name) for name in NAMES}
        return {name: file for name, file in files.items() if file is not None}


class SourceTables(TablesConfig):
    """Tables that a package brings."""

    source: Source = Field(
        default="unprompt",
        description="`unprompt`: small tables that come with this plugin. `clip-interrogator`: "
        "the lists of that package, which has to be installed.",
    )


class FolderTables(TablesConfig):
    """Tables in a folder."""

    folder: Location = Field(
        description="Text files called mediums.txt and so on instead of `source`."
    )


def _read_tables(raw: object) -> object:
    """A text alone as `source` or `folder`."""
    if not isinstance(raw, str):
        return raw
    return {"source" if raw in get_args(Source) else "folder": raw}


_Tables = Annotated[
    SourceTables | FolderTables,
    choice(
        {"`source`": SourceTables, "`folder`": FolderTables},
        lambda raw: "`source`" if raw.get("folder") is None else "`folder`",
    ),
]
TablesChoice = Annotated[
    _Tables, BeforeValidator(_read_tables, json_schema_input_type=str | _Tables)
]
"""Where phrases come from; a text alone stands for `source` or `folder`."""
