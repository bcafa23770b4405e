"""Towers from folders: whole, or an error that names what is wrong with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from unprompt.contracts import Runtime
from unprompt.errors import ConfigError, DataError, MissingFileError
from unprompt.towers import ClipTowers, FolderSource, VisionTower

CHECKPOINTS = Path(__file__).resolve().parents[2] / "plugins" / "unprompt_painter" / "checkpoints"


def copied(tower: str, folder: Path) -> FolderSource:
    shutil.copytree(CHECKPOINTS / tower, folder)
    return FolderSource.model_validate({"folder": str(folder)})


def drop_one(path: Path, name: str) -> None:
    state = load_file(path)
    del state[name]
    save_file(state, path, metadata={"format": "pt"})


def test_a_vision_tower_that_lacks_parameters_is_not_filled_with_random_ones(
    tmp_path: Path,
) -> None:
    config = copied("vision-a", tmp_path / "tower")
    path = tmp_path / "tower" / "model.safetensors"
    name = next(key for key in load_file(path) if key.endswith("layers.2.mlp.fc1.weight"))
    drop_one(path, name)
    with pytest.raises(DataError, match=r"^own: .*tower: not .* missing \(1\): '.*\.2\.mlp\.fc1"):
        VisionTower(config, Runtime(), "own")


def test_a_clip_that_lacks_parameters_is_an_error(tmp_path: Path) -> None:
    config = copied("clip-a", tmp_path / "tower")
    drop_one(tmp_path / "tower" / "open_clip_model.safetensors", "logit_scale")
    with pytest.raises(ConfigError, match=r"^own: .*tower: missing \(1\): 'logit_scale'$"):
        ClipTowers(config, Runtime(), "own")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = FolderSource.model_validate({"folder": str(tmp_path / "none")})
    for tower in (ClipTowers, VisionTower):
        for ask in (tower.identity, lambda *given, of=tower: of(*given)):
            with pytest.raises(MissingFileError, match=r"own: no folder .*/none"):
                ask(config, Runtime(), "own")


def test_identity_is_the_content_and_not_the_place(tmp_path: Path) -> None:
    def identity(config: FolderSource) -> object:
        return ClipTowers.identity(config, Runtime(), "own")

    first, second = (copied("clip-a", tmp_path / name) for name in ("first", "two"))
    assert identity(first) == identity(second)
    with (tmp_path / "two" / "tokenizer_config.json").open("a") as file:
        file.write("\n")
    assert identity(first) != identity(second)
