"""A backbone that cannot be meant as it is written is one line that says what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from unprompt.contracts import Runtime
from unprompt.errors import ConfigError, MissingFileError
from unprompt.towers import BackboneConfig, ClipTowers, TimmTower, VisionTower

MakeFolder = Callable[..., Path]
OFFLINE = Runtime(offline=True)
REHEARSAL = Runtime(device="meta", offline=True, rehearsal=True)
"""Nothing is looked for on disk, so what is left to complain about is the name and the tag."""


def read(**said: Any) -> BackboneConfig:
    return BackboneConfig.model_validate(said)


def problem(tower: type, config: BackboneConfig, runtime: Runtime = OFFLINE) -> str:
    """The one line of the ConfigError that building the tower ends in."""
    with pytest.raises(ConfigError) as found:
        tower(config, runtime, "own")
    (line,) = found.value.problems
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
def test_gelu_for_quickgelu_weights_is_an_error_with_the_right_name(
    model: str, tag: str, right: str
) -> None:
    line = problem(ClipTowers, read(model=model, pretrained=tag))
    assert line == (
        f"{model} is built with GELU, and {tag!r} was trained with QuickGELU: use model {right!r}"
    )


def test_the_activation_is_checked_before_files_and_for_local_weights(tmp_path: Path) -> None:
    weights = tmp_path / "ViT-L-14.safetensors"
    weights.write_bytes(b"")
    said = {"model": "ViT-L-14", "pretrained": "openai"}
    for config in (read(**said), read(**said, weights=str(weights))):
        with pytest.raises(ConfigError, match="use model 'ViT-L-14-quickgelu'"):
            ClipTowers.identity(config, OFFLINE, "own")
        assert "use model 'ViT-L-14-quickgelu'" in problem(ClipTowers, config, REHEARSAL)


def test_of_all_pairs_that_open_clip_offers_exactly_those_are_refused() -> None:
    import open_clip

    refused = set()
    for name, tag in open_clip.list_pretrained():
        config = read(model=name, pretrained=tag)
        trained = bool(open_clip.get_pretrained_cfg(name, tag).get("quick_gelu"))
        built = bool(open_clip.get_model_config(name).get("quick_gelu"))
        if built or not trained:  # a tag need not repeat what its architecture says
            assert ClipTowers.identity(config, REHEARSAL, "own")["architecture"]
            continue
        with pytest.raises(ConfigError) as found:
            ClipTowers.identity(config, REHEARSAL, "own")
        right = re.search(r"use model '(.+)'$", str(found.value))
        assert right, (name, tag)
        identity = ClipTowers.identity(read(model=right[1], pretrained=tag), REHEARSAL, "own")
        assert identity["architecture"]["quick_gelu"] is True
        refused.add((name, tag))
    assert ("ViT-L-14", "openai") in refused
    assert ("roberta-ViT-B-32", "laion2b_s12b_b32k") not in refused
    assert len(refused) > 10


# Weights of which nobody knows what they want to see


def test_bare_open_clip_weights_without_a_preprocess(small_clip: str, tmp_path: Path) -> None:
    weights = tmp_path / "bare.safetensors"
    weights.write_bytes(b"")
    line = problem(ClipTowers, read(model="ViT-B-32", weights=str(weights)))
    assert line.startswith(f"{weights}: nothing says how pictures become pixels")
    assert "`pretrained` (" in line
    assert "laion2b_s34b_b79k" in line
    assert line.endswith("or give `preprocess`")
    line = problem(ClipTowers, read(model=small_clip, weights=str(weights)))
    assert "`pretrained` (it has none) or give `preprocess`" in line


def test_bare_timm_weights_without_a_preprocess(tmp_path: Path) -> None:
    import timm
    import torch

    weights = tmp_path / "bare.pth"
    torch.save(timm.create_model("test_vit", num_classes=0).state_dict(), weights)
    line = problem(TimmTower, read(model="test_vit", weights=str(weights)))
    assert line.startswith(f"{weights}: nothing says how pictures become pixels")
    assert line.endswith("give `preprocess`, as they were trained")


def test_bare_transformers_weights_of_an_unknown_model(hub: Any, vision_folder: MakeFolder) -> None:
    weights = vision_folder() / "model.safetensors"
    config = read(model="somebody/unheard-of", weights=str(weights))
    with pytest.raises(MissingFileError) as found:
        VisionTower(config, OFFLINE, "own")
    place = hub.of("somebody/unheard-of")
    fetch = "hf download somebody/unheard-of"
    assert found.value.problems == tuple(
        f"own: no {name} of somebody/unheard-of: looked in {place}; fetch it with: {fetch} {name}"
        for name in ("config.json", "preprocessor_config.json")
    )
    wanted = [need.what for need in VisionTower.needs(config)]
    assert wanted == [
        "model.safetensors",
        "config.json of somebody/unheard-of",
        "preprocessor_config.json of somebody/unheard-of",
    ]


def test_weights_for_the_wrong_architecture(hub: Any, vision_folder: MakeFolder) -> None:
    weights = vision_folder("deep", num_hidden_layers=3) / "model.safetensors"
    hub.add("somebody/shallow", vision_folder("shallow"))
    line = problem(VisionTower, read(model="somebody/shallow", weights=str(weights)))
    assert line.startswith(f"{weights}: not the weights of somebody/shallow: '+")
    assert "layers.2." in line


# Names


def test_unknown_names_and_tags_get_suggestions() -> None:
    line = problem(ClipTowers, read(model="ViT-L-41", pretrained="openai"))
    assert line == "open_clip has no model 'ViT-L-41'; did you mean 'ViT-L-16'?"
    line = problem(ClipTowers, read(model="ViT-H-14", pretrained="laion2b_s32b_b79"))
    assert line.startswith("ViT-H-14 has no weights 'laion2b_s32b_b79'")
    assert "'laion2b_s32b_b79k'" in line
    line = problem(ClipTowers, read(model="ViT-H-14"))
    assert line.startswith("ViT-H-14 needs `pretrained`: ")
    assert "laion2b_s32b_b79k" in line
    line = problem(TimmTower, read(model="test_vitt"))
    assert line.startswith("timm has no model 'test_vitt'")
    assert "'test_vit'" in line
    line = problem(TimmTower, read(model="test_vit", pretrained="nobodys"))
    assert line == "test_vit has no weights 'nobodys': r160_in1k"
    with pytest.raises(ConfigError, match=r"^timm: test_vit has no weights 'nobodys'"):
        TimmTower.needs(read(model="test_vit", pretrained="nobodys"))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "should have either `model` or `folder`"),
        ({"model": "ViT-H-14", "folder": "x"}, "should have either `model` or `folder`"),
        ({"folder": "x", "pretrained": "openai"}, "belong to `model`, not `folder`"),
        ({"model": "local-dir:x", "weights": "y.pt"}, "belong to `model`, not `folder`"),
        ({"folder": "package:no_such_package/x"}, "no installed package 'no_such_package'"),
        ({"model": "ViT-H-14", "pretraind": "openai"}, "pretraind"),
        ({"model": "m", "preprocess": {"size": 0, "mean": [0, 0, 0], "std": [1, 1, 1]}}, "size"),
    ],
)
def test_what_yaml_cannot_mean(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as found:
        read(**said)
    assert message in str(found.value)
