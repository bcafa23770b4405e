"""Configurations and checkpoints that libraries would take, and no image could be told apart by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from unprompt._files.hashing import content_hash
from unprompt.errors import DataError
from unprompt.towers import ClipTowers, FolderSource, TimmTower, VisionTower
from unprompt.towers.sources import PreprocessConfig

from .conftest import OFFLINE, MakeFolder


@pytest.fixture(params=["open_clip", "transformers", "timm"])
def case(request: pytest.FixtureRequest) -> tuple[Any, Path, str, tuple[str, str, str]]:
    """A tower, its folder, its checkpoint; its configuration, and where mean and std are in it."""
    if request.param == "open_clip":
        names = ("open_clip_config.json", "preprocess_cfg", "")
        folder = request.getfixturevalue("clip_folder")()
        return ClipTowers, folder, "open_clip_model.safetensors", names
    if request.param == "transformers":
        names = ("preprocessor_config.json", "", "image_")
        return VisionTower, request.getfixturevalue("vision_folder")(), "model.safetensors", names
    names = ("config.json", "pretrained_cfg", "")
    return TimmTower, request.getfixturevalue("timm_folder")(), "model.safetensors", names


def load(tower: Any, folder: Path) -> Any:
    return tower(FolderSource.model_validate({"folder": str(folder)}), OFFLINE, "own")


def refusal(tower: Any, folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(tower, folder)
    (line,) = caught.value.problems
    return line


def change(path: Path, *keys: str, value: Any) -> None:
    content = part = json.loads(path.read_text())
    for key in keys[:-1]:
        part = part[key] if key else part
    part[keys[-1]] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("value", [[], 1e9, "x", [0.5, 0.5], [0.5, 0.5, 1e30], [True] * 3, {}])
@pytest.mark.parametrize("key", ["mean", "std"])
def test_normalisation_is_three_numbers(case: Any, key: str, value: Any) -> None:
    tower, folder, _, (config, part, prefix) = case
    change(folder / config, part, prefix + key, value=value)
    line = refusal(tower, folder)
    assert f"{config}: `{prefix}{key}` should be three numbers " in line


@pytest.mark.parametrize("value", [[0.5, 0.5, 0], [0.5, 0.5, -1], [float("nan")] * 3])
def test_a_deviation_is_more_than_zero(case: Any, value: Any) -> None:
    tower, folder, _, (config, part, prefix) = case
    change(folder / config, part, f"{prefix}std", value=value)
    assert "std` should be three numbers above 0 to 10" in refusal(tower, folder)


@pytest.mark.parametrize("value", [None, [], "x"])
def test_open_clip_s_preprocess_is_an_object(clip_folder: MakeFolder, value: Any) -> None:
    folder = clip_folder()
    change(folder / "open_clip_config.json", "preprocess_cfg", value=value)
    assert "`preprocess_cfg` should be an object" in refusal(ClipTowers, folder)


def test_open_clip_s_null_is_no_deviation(clip_folder: MakeFolder) -> None:
    folder = clip_folder()
    change(folder / "open_clip_config.json", "preprocess_cfg", "std", value=None)
    assert "`std` should be three numbers" in refusal(ClipTowers, folder)


@pytest.mark.parametrize("std", [(0.5, 0.5, 0.0), (1e30, 1.0, 1.0), (float("nan"),) * 3])
def test_the_same_in_yaml(std: tuple[float, float, float]) -> None:
    with pytest.raises(ValidationError):
        PreprocessConfig(size=32, mean=(0.5, 0.5, 0.5), std=std)


@pytest.mark.parametrize("name", [None, ""])
def test_a_tokenizer_of_more_tokens_than_the_text_tower_has(
    clip_folder: MakeFolder, name: str | None
) -> None:
    folder = clip_folder()
    path = folder / "open_clip_config.json"
    change(path, "model_cfg", "text_cfg", "hf_tokenizer_name", value=name)
    change(path, "model_cfg", "text_cfg", "vocab_size", value=128)
    shrink(folder / "open_clip_model.safetensors", "token_embedding.weight", 128)
    line = refusal(ClipTowers, folder)
    assert "its tokenizer has 49,408 tokens, and its text tower only 128" in line


def shrink(path: Path, name: str, rows: int) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(path)
    save_file(state | {name: state[name][:rows].clone()}, path, metadata={"format": "pt"})


@pytest.mark.parametrize("fault", ["int8", "zeros"])
def test_a_checkpoint_without_numbers(case: Any, fault: str) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    tower, folder, name, _ = case
    state = load_file(folder / name)
    if fault == "int8":
        state = {key: value.to(torch.int8) for key, value in state.items()}
    else:
        state = {key: torch.zeros_like(value) for key, value in state.items()}
    save_file(state, folder / name, metadata={"format": "pt"})
    line = refusal(tower, folder).lower()
    assert "not a checkpoint: " in line
    assert line.endswith("it holds only zeros" if fault == "zeros" else "not floating-point")


def test_half_of_a_surrogate_pair_has_a_hash() -> None:
    first, second = content_hash({"a": "\ud800"}), content_hash({"a": "\ud801"})
    assert len({first, second, content_hash({"a": ""})}) == 3
