"""Recipes end to end at toy size: what they write loads as a backbone, and can be started from."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from unprompt.backbones import BackboneConfig, ClipTowers, VisionTower
from unprompt.config.location import Location
from unprompt.contracts import Runtime
from unprompt.errors import ConfigError
from unprompt.files import file_hash
from unprompt.registry import Registry
from unprompt.train.__main__ import run
from unprompt.train.recipe import load_recipe
from unprompt_painter.world import World

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "plugins" / "unprompt_painter" / "weights"
TOY = [
    "data.options.images=80",
    "data.options.size=32",
    "validation=16",
    "epochs=2",
    "batch_size=32",
    "vocabulary=600",
]


def toy_tower(recipe: str, folder: Path) -> Path:
    """The shipped configuration of a recipe's tower, shrunk."""
    source = WEIGHTS / recipe
    folder.mkdir()
    for path in source.glob("*config.json"):
        (folder / path.name).write_text(path.read_text())
    if recipe.startswith("clip"):
        config = json.loads((folder / "open_clip_config.json").read_text())
        config["model_cfg"]["embed_dim"] = 32
        config["model_cfg"]["vision_cfg"] |= {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8}
        config["model_cfg"]["text_cfg"] |= {"width": 32, "heads": 2, "layers": 1, "vocab_size": 600}
        config["preprocess_cfg"]["size"] = 32
        (folder / "open_clip_config.json").write_text(json.dumps(config))
    else:
        config = json.loads((folder / "config.json").read_text())
        config |= {"image_size": 32, "hidden_size": 32, "intermediate_size": 64}
        config |= {"num_attention_heads": 2, "num_hidden_layers": 1}
        (folder / "config.json").write_text(json.dumps(config))
        path = folder / "preprocessor_config.json"
        sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
        path.write_text(json.dumps(json.loads(path.read_text()) | sizes))
    return folder


def train(recipe: str, folder: Path, overrides: Sequence[str] = ()) -> str:
    path = ROOT / "experiments" / "train" / recipe
    registry = Registry()
    run(load_recipe(path, registry, (*TOY, f"tower={folder}", *overrides)), registry)
    return (folder / "README.md").read_text()


def test_a_contrastive_recipe_writes_a_clip_and_can_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = toy_tower("clip-a", tmp_path / "clip")
    card = train("clip-a-1.yaml", folder)
    assert capsys.readouterr().out.strip() == card.strip()
    weights = folder / "open_clip_model.safetensors"
    first = file_hash(weights)
    assert first in card
    assert re.search(r"recall@1 [01]\.\d+", card)
    towers = ClipTowers(BackboneConfig(folder=Location.of(str(folder))), Runtime(), "test")
    picture = World(1, 32).picture(0)
    image = towers.images(towers.preprocess(picture)[None])
    text = towers.texts(
        ["a red fox", "a text with letters that no prompt has: \u017c\u00f3\u0142w"]
    )
    assert image.shape == (1, 32) and text.shape == (2, 32)
    assert np.allclose(np.linalg.norm(text, axis=1), 1, atol=1e-5)

    again = train("clip-a-2.yaml", folder, [f"start={folder}"])
    assert f"weights with SHA-256 `{first}`" in again
    assert file_hash(weights) != first


def test_a_regression_recipe_writes_a_vision_tower_and_can_go_on(tmp_path: Path) -> None:
    folder = toy_tower("vision-a", tmp_path / "vision")
    card = train("vision-a-1.yaml", folder)
    assert re.search(r"cosine -?[01]\.\d+", card)
    tower = VisionTower(BackboneConfig(folder=Location.of(str(folder))), Runtime(), "test")
    features = tower.features(tower.preprocess(World(1, 50).picture(0))[None])
    assert features.shape == (1, 32)
    assert np.isfinite(features).all()
    first = file_hash(folder / "model.safetensors")
    assert first in train("vision-a-2.yaml", folder, [f"start={folder}"])


def test_training_twice_gives_the_same_weights(tmp_path: Path) -> None:
    folder = toy_tower("vision-a", tmp_path / "vision")
    train("vision-a-1.yaml", folder)
    first = file_hash(folder / "model.safetensors")
    train("vision-a-1.yaml", folder)
    assert file_hash(folder / "model.safetensors") == first


def test_mistakes_in_a_recipe_have_their_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: bad\nobjective: guessing\ntower: .\ndata: {plugin: painter}\nepoch: 3\n")
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, Registry())
    assert [line.split(": ", 1)[0] for line in caught.value.problems] == [
        f"{path}:2:1",
        f"{path}:5:1",
    ]
