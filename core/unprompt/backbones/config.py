"""What a member's ``backbone`` may say in YAML, and the hashes that identify it."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt.config.location import Location
from unprompt.config.models import Model
from unprompt.errors import MissingFileError
from unprompt.files import content_hash, file_hash
from unprompt.types import Json

WEIGHTS = ("open_clip_model.safetensors", "model.safetensors")
"""File names of weights inside a backbone's folder."""


class BackboneConfig(Model):
    """A pretrained tower: a name with a tag from a hub, or a folder on this machine."""

    model: str | None = Field(
        default=None, description="open_clip's model name, or a transformers hub id."
    )
    pretrained: str | None = Field(default=None, description="open_clip's tag for `model`.")
    folder: Location | None = Field(
        default=None,
        description="Configuration and weights on this machine; package:NAME/... names a folder "
        "inside an installed package.",
    )

    @model_validator(mode="after")
    def _check_one(self) -> BackboneConfig:
        if (self.model is None) == (self.folder is None):
            raise PydanticCustomError("backbone", "should have either `model` or `folder`")
        if self.folder and self.pretrained:
            raise PydanticCustomError("backbone", "`pretrained` belongs to `model`, not `folder`")
        return self


def folder_files(folder: Path, owner: str) -> list[Path]:
    """The JSON configuration and the weights of a backbone's folder.

    Args:
        folder: The backbone's folder.
        owner: Who needs it, for the error line.

    Raises:
        MissingFileError: The folder or its weights are not there; the line names the file.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{owner}: no folder {folder}")
    weights = [folder / name for name in WEIGHTS if (folder / name).is_file()]
    if not weights:
        raise MissingFileError(f"{owner}: no {' or '.join(WEIGHTS)} in {folder}")
    return sorted(folder.glob("*.json")) + weights


def check_folder(folder: Path, owner: str, *needed: str) -> None:
    """Open every file of a backbone's folder: what libraries say of a broken one names no file.

    Args:
        folder: The backbone's folder.
        owner: Who needs it, for the error line.
        needed: File names that have to be there, besides weights.

    Raises:
        MissingFileError: A file is not there or broken; the line names it.
    """
    from safetensors import SafetensorError, safe_open

    files = folder_files(folder, owner)
    for name in needed:
        if not (folder / name).is_file():
            raise MissingFileError(f"{owner}: no {name} in {folder}")
    for path in files:
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            else:
                with safe_open(path, "numpy"):
                    pass  # opening checks the header against the file's size
        except (OSError, ValueError, SafetensorError) as error:
            raise MissingFileError(f"{owner}: {path}: cannot be read: {error}") from error


def identity(config: BackboneConfig, owner: str) -> dict[str, Json]:
    """What the backbone is, by content where it is a folder: for cache keys.

    Raises:
        MissingFileError: See `folder_files`.
    """
    if config.folder is None:
        return {"model": config.model, "pretrained": config.pretrained}
    files = folder_files(config.folder.path, owner)
    return {"folder": content_hash([(path.name, file_hash(path)) for path in files])}
