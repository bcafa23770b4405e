"""A tower's identity is its content: checkpoint, preprocess and activation, not their place."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from unprompt._files.hashing import file_hash
from unprompt.towers import ClipTowers, TimmTower, VisionTower, hub_file_hash

from .conftest import OFFLINE, HubCache, MakeFolder, read

PREPROCESS = {"size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


def identity(tower: Any, **given: Any) -> dict[str, Any]:
    content: dict[str, Any] = tower.identity(read(tower, **given), OFFLINE, "own")
    json.dumps(content, allow_nan=False)  # plain data, fit for a key
    return content


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def flip_a_bit(path: Path) -> None:
    """Change the last number of a safetensors file."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_copy_elsewhere_is_the_same_tower(
    clip_folder: MakeFolder, vision_folder: MakeFolder, tmp_path: Path
) -> None:
    for tower, folder in ((ClipTowers, clip_folder()), (VisionTower, vision_folder())):
        copy = tmp_path / f"copy-of-{folder.name}"
        shutil.copytree(folder, copy)
        assert identity(tower, folder=str(folder)) == identity(tower, folder=str(copy))


def test_checkpoint_preprocess_and_activation_of_a_transformers_tower_count(
    vision_folder: MakeFolder,
) -> None:
    folder = vision_folder()
    given = {"folder": str(folder)}
    identities = [identity(VisionTower, **given)]
    flip_a_bit(folder / "model.safetensors")
    identities.append(identity(VisionTower, **given))
    edit(folder / "preprocessor_config.json", image_mean=[0.5, 0.5, 0.5])
    identities.append(identity(VisionTower, **given))
    edit(folder / "config.json", hidden_act="gelu")
    identities.append(identity(VisionTower, **given))
    identities.append(identity(VisionTower, **given, preprocess=PREPROCESS))
    assert all(identities.count(content) == 1 for content in identities)


def test_what_the_hub_says_around_a_checkpoint_counts(
    hub: HubCache, vision_folder: MakeFolder, tmp_path: Path
) -> None:
    folder = vision_folder()
    path = tmp_path / "own.safetensors"
    (folder / "model.safetensors").rename(path)
    snapshot = hub.add("somebody/small-vision", folder)
    given = {"model": "somebody/small-vision", "checkpoint": str(path)}
    identities = [identity(VisionTower, **given)]
    for name, change in (
        ("preprocessor_config.json", {"image_mean": [0.5, 0.5, 0.5]}),
        ("config.json", {"hidden_act": "gelu"}),
    ):
        edit(folder / name, **change)
        (snapshot / name).unlink()
        shutil.copyfile(folder / name, snapshot / name)
        identities.append(identity(VisionTower, **given))
    flip_a_bit(path)
    identities.append(identity(VisionTower, **given))
    assert all(identities.count(content) == 1 for content in identities)


def test_checkpoint_preprocess_and_activation_of_an_open_clip_model_count(
    clip_folder: MakeFolder,
) -> None:
    folder = clip_folder()
    given = {"folder": str(folder)}
    config = folder / "open_clip_config.json"
    identities = [identity(ClipTowers, **given)]
    flip_a_bit(folder / "open_clip_model.safetensors")
    identities.append(identity(ClipTowers, **given))
    content = json.loads(config.read_text())
    content["preprocess_cfg"]["mean"] = [0.5, 0.5, 0.5]
    config.write_text(json.dumps(content))
    identities.append(identity(ClipTowers, **given))
    content["model_cfg"]["quick_gelu"] = True
    config.write_text(json.dumps(content))
    identities.append(identity(ClipTowers, **given))
    assert identities[-1]["architecture"]["quick_gelu"] is True
    identities.append(identity(ClipTowers, **given, preprocess=PREPROCESS))
    assert all(identities.count(content) == 1 for content in identities)


def test_tag_and_model_say_preprocess_and_activation_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(b"the same file, whoever trained it")
    given = {"checkpoint": str(path)}
    openai, laion, inception = (
        identity(ClipTowers, model=model, pretrained=tag, **given)
        for model, tag in (
            ("ViT-L-14-quickgelu", "openai"),
            ("ViT-L-14", "laion400m_e32"),
            ("ViT-L-14", "laion2b_s32b_b82k"),
        )
    )
    assert openai["files"] == laion["files"] == inception["files"]
    assert openai["architecture"]["quick_gelu"] is True
    assert "quick_gelu" not in laion["architecture"]
    assert laion["architecture"] == inception["architecture"]
    assert tuple(laion["preprocess"]["mean"]) == (0.48145466, 0.4578275, 0.40821073)
    assert tuple(inception["preprocess"]["mean"]) == (0.5, 0.5, 0.5)


def test_a_timm_checkpoint_counts_with_its_name_and_preprocess(tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    path.write_bytes(b"not opened to be hashed")
    given = {"checkpoint": str(path)}
    first = identity(TimmTower, model="test_vit", preprocess=PREPROCESS, **given)
    other = identity(TimmTower, model="test_vit2", preprocess=PREPROCESS, **given)
    squash = PREPROCESS | {"resize": "squash"}
    assert first != other
    assert first != identity(TimmTower, model="test_vit", preprocess=squash, **given)
    path.write_bytes(b"another checkpoint")
    assert first != identity(TimmTower, model="test_vit", preprocess=PREPROCESS, **given)


def test_the_hash_is_sha256_of_the_content(vision_folder: MakeFolder, hub: HubCache) -> None:
    folder = vision_folder()
    path = folder / "model.safetensors"
    assert hub_file_hash(path) == file_hash(path)
    snapshot = hub.add("somebody/small-vision", folder)
    assert hub_file_hash(snapshot / path.name) == file_hash(path)
    there = identity(VisionTower, model="somebody/small-vision")
    assert there["files"] == identity(VisionTower, folder=str(folder))["files"]


def test_the_hubs_cache_need_not_be_read_to_be_hashed(
    hub: HubCache, vision_folder: MakeFolder
) -> None:
    folder = vision_folder()
    path = hub.add("somebody/small-vision", folder) / "model.safetensors"
    wanted = file_hash(path)
    os.truncate(path.resolve(), 0)  # its name still says what it held
    assert hub_file_hash(path) == wanted
    assert file_hash(path) != wanted


@pytest.mark.parametrize("tower", [ClipTowers, VisionTower, TimmTower])
def test_needs_name_every_file_of_a_folder_that_is_not_there(tower: Any, tmp_path: Path) -> None:
    config = read(tower, folder=str(tmp_path / "none"))
    needs = tower.needs(config)
    assert len(needs) >= 2
    assert {need.where for need in needs} == {str(tmp_path / "none")}
    assert not any(need.here for need in needs)
