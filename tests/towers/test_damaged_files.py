"""A file that is there and damaged is a DataError; a MissingFileError is for what is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unprompt.contracts import Runtime
from unprompt.errors import DataError, MissingFileError
from unprompt.towers import ClipTowers, FolderSource, TimmTower, VisionTower

from .conftest import MakeFolder

OFFLINE = Runtime(offline=True)


@pytest.fixture(params=["open_clip", "transformers", "timm"])
def case(
    request: pytest.FixtureRequest,
    clip_folder: MakeFolder,
    vision_folder: MakeFolder,
    timm_folder: MakeFolder,
) -> tuple[Any, Path, str, str]:
    """A tower, its folder, and the names of its configuration and its checkpoint."""
    if request.param == "open_clip":
        return ClipTowers, clip_folder(), "open_clip_config.json", "open_clip_model.safetensors"
    if request.param == "transformers":
        return VisionTower, vision_folder(), "config.json", "model.safetensors"
    return TimmTower, timm_folder(), "config.json", "model.safetensors"


def problem(tower: Any, folder: Path, kind: type[DataError | MissingFileError]) -> str:
    """The one line in which loading ends."""
    with pytest.raises(kind) as caught:
        tower(FolderSource.model_validate({"folder": str(folder)}), OFFLINE, "own")
    (line,) = caught.value.problems
    assert line.startswith("own: ")
    return line


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
@pytest.mark.parametrize("which", [2, 3], ids=["configuration", "checkpoint"])
def test_a_damaged_file(which: int, content: bytes, case: tuple[Any, Path, str, str]) -> None:
    path = case[1] / str(case[which])
    path.write_bytes(content)
    what = "cannot be read" if path.suffix == ".safetensors" else "not JSON"
    assert f"{path}: {what}: " in problem(case[0], case[1], DataError)


def test_a_configuration_of_something_else(case: tuple[Any, Path, str, str]) -> None:
    tower, folder, config, _ = case
    (folder / config).write_text(json.dumps({"model_type": "clip_vision_model", "patch_size": 3}))
    assert str(folder) in problem(tower, folder, DataError)


@pytest.mark.parametrize("which", [2, 3], ids=["configuration", "checkpoint"])
def test_a_file_that_is_not_there(which: int, case: tuple[Any, Path, str, str]) -> None:
    name = str(case[which])
    (case[1] / name).unlink()
    line = problem(case[0], case[1], MissingFileError)
    assert line.startswith(f"own: no {name}")
    assert line.endswith(f" in {case[1]}")


def test_a_shard_that_is_not_there(vision_folder: MakeFolder) -> None:
    folder = vision_folder()
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {"pre_layrnorm.weight": "model-1.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-1.safetensors" in problem(VisionTower, folder, MissingFileError)
