"""A backbone's identity is its content: checkpoint, preprocess and activation, not their place."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unprompt._files.hashing import file_hash
from unprompt.contracts import Runtime
from unprompt.towers import ClipTowers, TimmTower, VisionTower, hub_file_hash
from unprompt_clip.l14 import L14Options
from unprompt_clip.l16_384 import L16Options
from unprompt_knn.options import KnnOptions

MakeFolder = Callable[..., Path]
OFFLINE = Runtime(offline=True)
OPTIONS = {ClipTowers: KnnOptions, VisionTower: L14Options, TimmTower: L16Options}
PREPROCESS = {"size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


def read(tower: Any, **said: Any) -> Any:
    """What YAML says of a tower's backbone, checked."""
    return OPTIONS[tower].model_validate({"backbone": said}).backbone


def identity(tower: Any, **said: Any) -> dict[str, Any]:
    content: dict[str, Any] = tower.identity(read(tower, **said), OFFLINE, "own")
    json.dumps(content, allow_nan=False)  # plain data, fit for a key
    return content


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def flip_a_bit(path: Path) -> None:
    """Change the last number of a safetensors file."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_copy_elsewhere_is_the_same_backbone(
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
    said = {"folder": str(folder)}
    identities = [identity(VisionTower, **said)]
    flip_a_bit(folder / "model.safetensors")
    identities.append(identity(VisionTower, **said))
    edit(folder / "preprocessor_config.json", image_mean=[0.5, 0.5, 0.5])
    identities.append(identity(VisionTower, **said))
    edit(folder / "config.json", hidden_act="gelu")
    identities.append(identity(VisionTower, **said))
    identities.append(identity(VisionTower, **said, preprocess=PREPROCESS))
    assert all(identities.count(one) == 1 for one in identities)


def test_what_the_hub_says_around_a_checkpoint_counts(
    hub: Any, vision_folder: MakeFolder, tmp_path: Path
) -> None:
    folder = vision_folder()
    path = tmp_path / "own.safetensors"
    (folder / "model.safetensors").rename(path)
    snapshot = hub.add("somebody/small-vision", folder)
    said = {"model": "somebody/small-vision", "checkpoint": str(path)}
    identities = [identity(VisionTower, **said)]
    for name, change in (
        ("preprocessor_config.json", {"image_mean": [0.5, 0.5, 0.5]}),
        ("config.json", {"hidden_act": "gelu"}),
    ):
        edit(folder / name, **change)
        (snapshot / name).unlink()
        shutil.copyfile(folder / name, snapshot / name)
        identities.append(identity(VisionTower, **said))
    flip_a_bit(path)
    identities.append(identity(VisionTower, **said))
    assert all(identities.count(one) == 1 for one in identities)


def test_checkpoint_preprocess_and_activation_of_an_open_clip_model_count(
    clip_folder: MakeFolder,
) -> None:
    folder = clip_folder()
    said = {"folder": str(folder)}
    config = folder / "open_clip_config.json"
    identities = [identity(ClipTowers, **said)]
    flip_a_bit(folder / "open_clip_model.safetensors")
    identities.append(identity(ClipTowers, **said))
    content = json.loads(config.read_text())
    content["preprocess_cfg"]["mean"] = [0.5, 0.5, 0.5]
    config.write_text(json.dumps(content))
    identities.append(identity(ClipTowers, **said))
    content["model_cfg"]["quick_gelu"] = True
    config.write_text(json.dumps(content))
    identities.append(identity(ClipTowers, **said))
    assert identities[-1]["architecture"]["quick_gelu"] is True
    identities.append(identity(ClipTowers, **said, preprocess=PREPROCESS))
    assert all(identities.count(one) == 1 for one in identities)


def test_tag_and_model_say_preprocess_and_activation_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(b"the same file, whoever trained it")
    said = {"checkpoint": str(path)}
    openai, laion, inception = (
        identity(ClipTowers, model=model, pretrained=tag, **said)
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
    said = {"checkpoint": str(path)}
    one = identity(TimmTower, model="test_vit", preprocess=PREPROCESS, **said)
    other = identity(TimmTower, model="test_vit2", preprocess=PREPROCESS, **said)
    squash = PREPROCESS | {"resize": "squash"}
    assert one != other
    assert one != identity(TimmTower, model="test_vit", preprocess=squash, **said)
    path.write_bytes(b"another checkpoint")
    assert one != identity(TimmTower, model="test_vit", preprocess=PREPROCESS, **said)


def test_the_hash_is_sha256_of_the_content(vision_folder: MakeFolder, hub: Any) -> None:
    folder = vision_folder()
    path = folder / "model.safetensors"
    assert hub_file_hash(path) == file_hash(path)
    snapshot = hub.add("somebody/small-vision", folder)
    assert hub_file_hash(snapshot / path.name) == file_hash(path)
    there = identity(VisionTower, model="somebody/small-vision")
    assert there["files"] == identity(VisionTower, folder=str(folder))["files"]


def test_the_hubs_cache_need_not_be_read_to_be_hashed(hub: Any, vision_folder: MakeFolder) -> None:
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
