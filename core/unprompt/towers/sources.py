"""Where a tower comes from, as a member's ``backbone`` says it: a model for each kind of source.

A key that the source does not read, such as a tag beside a folder, is a mistake; see `choice`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt._config.base import Model
from unprompt._config.choice import choice
from unprompt._config.location import Location, PlacedText
from unprompt.towers.files import Origin
from unprompt.towers.normalisation import FURTHEST

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

LOCAL = "local-dir:"
HUB = "hf-hub:"


_Mean = Annotated[float, Field(ge=-FURTHEST, le=FURTHEST)]
_Deviation = Annotated[float, Field(gt=0, le=FURTHEST)]


class PreprocessConfig(Model):
    """How an image becomes pixels, where the tower's own files do not say."""

    size: int = Field(ge=1, description="Side of the square input in pixels.")
    mean: tuple[_Mean, _Mean, _Mean] = Field(
        strict=False, description="Subtracted from channels in 0..1."
    )
    std: tuple[_Deviation, _Deviation, _Deviation] = Field(
        strict=False, description="Divides them afterwards."
    )
    interpolation: Literal["bicubic", "bilinear"] = Field(
        default="bicubic", description="Of the resize."
    )
    resize: Literal["shortest", "squash"] = Field(
        default="shortest",
        description="shortest: the shorter side, then a centre crop. squash: both sides.",
    )

    def transform(self) -> Callable[[Image], torch.Tensor]:
        """The resize, centre crop and normalisation: RGB image -> float32 (3, size, size)."""
        from torchvision import transforms

        side = self.size if self.resize == "shortest" else (self.size, self.size)
        composed: Callable[[Image], torch.Tensor] = transforms.Compose(
            [
                transforms.Resize(side, transforms.InterpolationMode(self.interpolation)),
                transforms.CenterCrop(self.size),
                transforms.ToTensor(),
                transforms.Normalize(self.mean, self.std),
            ]
        )
        return composed


class TowerSource(Model):
    """A pretrained tower, wherever it comes from."""

    preprocess: PreprocessConfig | None = Field(
        default=None, description="Default: what the backbone's files or its tag say."
    )

    def describe(self) -> str:
        """For error lines and tables."""
        given = self.model_dump(mode="json", exclude={"preprocess"}, exclude_none=True)
        return " / ".join(given.values())


class NamedSource(TowerSource):
    """An architecture that open_clip or timm knows, with parameters that it can download."""

    model: str = Field(description="A name that open_clip or timm knows.")
    pretrained: str | None = Field(default=None, description="Its tag for `model`.")


class HubSource(TowerSource):
    """A repository of the hub: configuration and parameters."""

    model: str = Field(description="A hub id.")

    @property
    def origin(self) -> Origin:
        """The repository."""
        return self.model


class OpenClipHub(HubSource):
    """An open_clip model in any repository of the hub."""

    model: str = Field(description="`hf-hub:ID`: an open_clip model in any repository of the hub.")

    @property
    def origin(self) -> Origin:
        """The repository."""
        return self.model.removeprefix(HUB)


class CheckpointSource(TowerSource):
    """A file of parameters on this machine."""

    model: str = Field(description="Beside `checkpoint`: its architecture.")
    checkpoint: Location = Field(
        description="A file of parameters on this machine for the architecture `model`: "
        "safetensors, or a state dict that torch saved."
    )


class OpenClipCheckpoint(CheckpointSource):
    """A checkpoint of an architecture that open_clip knows."""

    pretrained: str | None = Field(
        default=None,
        description="Beside `checkpoint`: the tag that it was trained as, whose preprocess is "
        "then taken; without it `preprocess` is needed.",
    )


class TimmCheckpoint(CheckpointSource):
    """A checkpoint of an architecture that timm knows."""

    @model_validator(mode="after")
    def _check_preprocess(self) -> TimmCheckpoint:
        if self.preprocess is None:
            raise PydanticCustomError(
                "tower",
                "nothing says how images become pixels for this checkpoint: give `preprocess`, "
                "as it was trained",
            )
        return self


class FolderSource(TowerSource):
    """Configuration and parameters in a folder."""

    folder: Location = Field(
        description="Configuration and parameters on this machine; package:NAME/... names a "
        "folder inside an installed package. `model: local-dir:PATH` says the same."
    )

    @property
    def origin(self) -> Origin:
        """The folder."""
        return self.folder.path


def _read_local_dir(raw: object) -> object:
    """``model: local-dir:PATH`` as ``folder: PATH``."""
    model = raw.get("model") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(model, str) or not model.startswith(LOCAL):
        return raw
    path = model.removeprefix(LOCAL)
    if isinstance(model, PlacedText):
        path = PlacedText(path, model.folder)
    return {key: raw[key] for key in raw if key != "model"} | {"folder": path}


def _kind(raw: Mapping[str, Any]) -> str:
    """Which kind of source is written."""
    if (raw.get("model") is None) == (raw.get("folder") is None):
        raise PydanticCustomError("tower", "should have either `model` or `folder`")
    if raw.get("folder") is not None:
        return "`folder`"
    return "`model`" if raw.get("checkpoint") is None else "`checkpoint`"


def _open_clip_kind(raw: Mapping[str, Any]) -> str:
    kind = _kind(raw)
    return "`model: hf-hub:...`" if str(raw.get("model")).startswith(HUB) else kind


_OpenClip = Annotated[
    NamedSource | OpenClipCheckpoint | OpenClipHub | FolderSource,
    choice(
        {
            "`model`": NamedSource,
            "`checkpoint`": OpenClipCheckpoint,
            "`model: hf-hub:...`": OpenClipHub,
            "`folder`": FolderSource,
        },
        _open_clip_kind,
    ),
]
OpenClipSource = Annotated[
    _OpenClip, BeforeValidator(_read_local_dir, json_schema_input_type=_OpenClip)
]
"""An image and a text tower by open_clip."""

_Transformers = Annotated[
    HubSource | CheckpointSource | FolderSource,
    choice(
        {"`model`": HubSource, "`checkpoint`": CheckpointSource, "`folder`": FolderSource},
        _kind,
        {"pretrained": "with a model of transformers: hub ids have no tags"},
    ),
]
TransformersSource = Annotated[
    _Transformers, BeforeValidator(_read_local_dir, json_schema_input_type=_Transformers)
]
"""A CLIP vision tower by transformers."""

_Timm = Annotated[
    NamedSource | TimmCheckpoint | FolderSource,
    choice(
        {"`model`": NamedSource, "`checkpoint`": TimmCheckpoint, "`folder`": FolderSource}, _kind
    ),
]
TimmSource = Annotated[_Timm, BeforeValidator(_read_local_dir, json_schema_input_type=_Timm)]
"""An image tower by timm."""
