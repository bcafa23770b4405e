"""What a member's ``backbone`` may say in YAML."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt._config.base import Model
from unprompt._config.location import Location

LOCAL = "local-dir:"


class PreprocessConfig(Model):
    """How a picture becomes pixels, where the backbone's own files do not say."""

    size: int = Field(ge=1, description="Side of the square input in pixels.")
    mean: tuple[float, float, float] = Field(
        strict=False, description="Subtracted from channels in 0..1."
    )
    std: tuple[float, float, float] = Field(strict=False, description="Divides them afterwards.")
    interpolation: Literal["bicubic", "bilinear"] = Field(
        default="bicubic", description="Of the resize."
    )
    resize: Literal["shortest", "squash"] = Field(
        default="shortest",
        description="shortest: the shorter side, then a centre crop. squash: both sides.",
    )


class BackboneConfig(Model):
    """A pretrained tower: a name with a tag from a hub, a file, or a folder on this machine."""

    model: str | None = Field(
        default=None,
        description="A name that open_clip or timm knows, or a hub id; `hf-hub:ID` for an "
        "open_clip model in any repository; `local-dir:PATH` is `folder`.",
    )
    pretrained: str | None = Field(
        default=None, description="open_clip's or timm's tag for `model`."
    )
    weights: Location | None = Field(
        default=None,
        description="Weights on this machine for the architecture `model`: safetensors, or a "
        "state dict that torch saved. Needs `pretrained`, whose preprocess is then taken, or "
        "`preprocess`.",
    )
    folder: Location | None = Field(
        default=None,
        description="Configuration and weights on this machine; package:NAME/... names a folder "
        "inside an installed package.",
    )
    preprocess: PreprocessConfig | None = Field(
        default=None, description="Default: what the backbone's files or its tag say."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_schema(cls, raw: object) -> object:
        if isinstance(raw, dict) and str(raw.get("model", "")).startswith(LOCAL):
            path = str(raw["model"]).removeprefix(LOCAL)
            return {key: raw[key] for key in raw if key != "model"} | {"folder": path}
        return raw

    @model_validator(mode="after")
    def _check_one(self) -> BackboneConfig:
        if (self.model is None) == (self.folder is None):
            raise PydanticCustomError("backbone", "should have either `model` or `folder`")
        if self.folder and (self.pretrained or self.weights):
            raise PydanticCustomError(
                "backbone", "`pretrained` and `weights` belong to `model`, not `folder`"
            )
        return self

    def describe(self) -> str:
        """For error lines and tables."""
        if self.folder:
            return self.folder.text
        return " / ".join(filter(None, (self.model, self.pretrained, self.weights_text)))

    @property
    def weights_text(self) -> str | None:
        """The weights' path as YAML can write it."""
        return self.weights.text if self.weights else None
