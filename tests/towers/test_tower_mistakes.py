"""A source of a tower that cannot be meant is one line that says what would be right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from unprompt.contracts import Runtime
from unprompt.errors import ConfigError, MissingFileError
from unprompt.towers import ClipTowers, TimmTower, VisionTower

from .conftest import OFFLINE, HubCache, MakeFolder, read

DRY_RUN = Runtime(device="meta", offline=True, dry_run=True)
"""Nothing is looked for on disk, so what is left to complain about is the name and the tag."""


def problem(tower: type, runtime: Runtime = OFFLINE, **given: Any) -> str:
    """The one line of the ConfigError that building the tower ends in."""
    with pytest.raises(ConfigError) as caught:
        tower(read(tower, **given), runtime, "own")
    (line,) = caught.value.problems
    assert line.startswith("own: ")
    assert "\n" not in line
    return line.removeprefix("own: ")


# The activation


@pytest.mark.parametrize(
    ("model", "tag", "right"),
    [
        ("ViT-L-14", "openai", "ViT-L-14-quickgelu"),
        ("ViT-B-32", "openai", "ViT-B-32-quickgelu"),
        ("ViT-B-32", "laion400m_e32", "ViT-B-32-quickgelu"),
        ("ViT-L-14-336", "openai", "ViT-L-14-336-quickgelu"),
        ("ViT-H-14", "dfn5b", "ViT-H-14-quickgelu"),
        ("RN50", "openai", "RN50-quickgelu"),
    ],
)
def test_gelu_for_a_quickgelu_checkpoint_is_an_error_with_the_right_name(
    model: str, tag: str, right: str
) -> None:
    line = problem(ClipTowers, model=model, pretrained=tag)
    assert line == (
        f"{model} is built with GELU, and {tag!r} was trained with QuickGELU: use model {right!r}"
    )


def test_the_activation_is_checked_before_files_and_for_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "ViT-L-14.safetensors"
    path.write_bytes(b"")
    named = {"model": "ViT-L-14", "pretrained": "openai"}
    for given in (named, {**named, "checkpoint": str(path)}):
        with pytest.raises(ConfigError, match="use model 'ViT-L-14-quickgelu'"):
            ClipTowers.identity(read(ClipTowers, **given), OFFLINE, "own")
        assert "use model 'ViT-L-14-quickgelu'" in problem(ClipTowers, DRY_RUN, **given)


def test_of_all_pairs_that_open_clip_offers_exactly_those_are_refused() -> None:
    import open_clip

    refused = set()
    for name, tag in open_clip.list_pretrained():
        config = read(ClipTowers, model=name, pretrained=tag)
        trained = bool(open_clip.get_pretrained_cfg(name, tag).get("quick_gelu"))
        built = bool(open_clip.get_model_config(name).get("quick_gelu"))
        if built or not trained:  # a tag need not repeat what its architecture says
            assert ClipTowers.identity(config, DRY_RUN, "own")["architecture"]
            continue
        with pytest.raises(ConfigError) as caught:
            ClipTowers.identity(config, DRY_RUN, "own")
        right = re.search(r"use model '(.+)'$", str(caught.value))
        assert right, (name, tag)
        architecture = ClipTowers.identity(
            read(ClipTowers, model=right[1], pretrained=tag), DRY_RUN, "own"
        )["architecture"]
        assert isinstance(architecture, Mapping)
        assert architecture["quick_gelu"] is True
        refused.add((name, tag))
    assert ("ViT-L-14", "openai") in refused
    assert ("roberta-ViT-B-32", "laion2b_s12b_b32k") not in refused
    assert len(refused) > 10


# Checkpoints of which nobody knows how images become pixels


def test_a_bare_open_clip_checkpoint_without_a_preprocess(small_clip: str, tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    path.write_bytes(b"")
    line = problem(ClipTowers, model="ViT-B-32", checkpoint=str(path))
    assert line.startswith(f"ViT-B-32 / {path}: nothing says how images become pixels")
    assert "`pretrained` (" in line
    assert "laion2b_s34b_b79k" in line
    assert line.endswith("or give `preprocess`")
    line = problem(ClipTowers, model=small_clip, checkpoint=str(path))
    assert "`pretrained` (it has none) or give `preprocess`" in line


def test_a_bare_timm_checkpoint_without_a_preprocess(tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        read(TimmTower, model="test_vit", checkpoint=str(tmp_path / "bare.pth"))
    (error,) = caught.value.errors()
    assert error["loc"] == ("backbone",)
    assert error["msg"].startswith("nothing says how images become pixels for this checkpoint: ")


def test_a_bare_transformers_checkpoint_of_an_unknown_model(
    hub: HubCache, vision_folder: MakeFolder
) -> None:
    path = vision_folder() / "model.safetensors"
    config = read(VisionTower, model="somebody/unheard-of", checkpoint=str(path))
    with pytest.raises(MissingFileError) as caught:
        VisionTower(config, OFFLINE, "own")
    folder = hub.of("somebody/unheard-of")
    fetch = "hf download somebody/unheard-of"
    assert caught.value.problems == tuple(
        f"own: no {name} of somebody/unheard-of: looked in {folder}; fetch it with: {fetch} {name}"
        for name in ("config.json", "preprocessor_config.json")
    )
    wanted = [need.what for need in VisionTower.needs(config)]
    assert wanted == [
        "model.safetensors",
        "config.json of somebody/unheard-of",
        "preprocessor_config.json of somebody/unheard-of",
    ]


def test_a_checkpoint_for_the_wrong_architecture(hub: HubCache, vision_folder: MakeFolder) -> None:
    path = vision_folder("deep", num_hidden_layers=3) / "model.safetensors"
    hub.add("somebody/shallow", vision_folder("shallow"))
    line = problem(VisionTower, model="somebody/shallow", checkpoint=str(path))
    start, _, keys = line.partition(" (16): '")
    assert start == f"{path}: not a checkpoint of somebody/shallow / {path}: unexpected"
    assert "layers.2." in keys
    assert line.endswith(" and 11 more")


# Names


def test_unknown_names_and_tags_get_suggestions() -> None:
    line = problem(ClipTowers, model="ViT-L-41", pretrained="openai")
    assert line == "open_clip has no model 'ViT-L-41'; did you mean 'ViT-L-16'?"
    line = problem(ClipTowers, model="ViT-H-14", pretrained="laion2b_s32b_b79")
    assert line.startswith("ViT-H-14 has no tag 'laion2b_s32b_b79'")
    assert "'laion2b_s32b_b79k'" in line
    line = problem(ClipTowers, model="ViT-H-14")
    assert line.startswith("ViT-H-14 needs `pretrained`: ")
    assert "laion2b_s32b_b79k" in line
    line = problem(TimmTower, model="test_vitt")
    assert line.startswith("timm has no model 'test_vitt'")
    assert "'test_vit'" in line
    line = problem(TimmTower, model="test_vit", pretrained="nobodys")
    assert line == "test_vit has no tag 'nobodys': r160_in1k"
    with pytest.raises(ConfigError, match=r"^timm: test_vit has no tag 'nobodys'"):
        TimmTower.needs(read(TimmTower, model="test_vit", pretrained="nobodys"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "should have either `model` or `folder`"),
        ({"model": "ViT-H-14", "folder": "x"}, "should have either `model` or `folder`"),
        ({"folder": "package:no_such_package/x"}, "no installed package 'no_such_package'"),
        ({"model": "ViT-H-14", "pretraind": "openai"}, "pretraind"),
        ({"model": "m", "preprocess": {"size": 0, "mean": [0, 0, 0], "std": [1, 1, 1]}}, "size"),
    ],
)
def test_what_yaml_cannot_mean(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(ClipTowers, **given)
    assert message in str(caught.value)


@pytest.mark.parametrize("tower", [ClipTowers, VisionTower])
def test_what_no_repository_can_be_called(tower: Any) -> None:
    name = "hf-hub:a/b/c" if tower is ClipTowers else "a/b/c"
    with pytest.raises(ConfigError, match=r"^'a/b/c' is no hub id: "):
        tower.needs(read(tower, model=name))
