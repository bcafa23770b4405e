"""Towers shrunk to toys, and recipes run on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unprompt._recipes.execute import Trained, execute
from unprompt._recipes.recipe import RegressionConfig, load_recipe
from unprompt._registry.plugins import Registry

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "plugins" / "unprompt_painter" / "checkpoints"
TOY = (
    "data.options.images=80",
    "data.options.size=32",
    "validation=8",
    "test=8",
    "training.epochs=2",
    "training.batch_size=32",
)
SMALL_CLIP = {
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
    "text_cfg": {"width": 32, "heads": 2, "layers": 1, "vocab_size": 600},
}
SMALL_VIT = {
    "image_size": 32,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
SMALL_EFFICIENTVIT = {
    "img_size": 32,
    "embed_dim": [16, 16, 16],
    "key_dim": [4, 4, 4],
    "num_heads": [2, 2, 2],
    "depth": [1, 1, 1],
}
SMALL_TEXT = {
    "vocab_size": 600,
    "hidden_size": 32,
    "encoder_hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
}


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _tower(name: str, folder: Path, *, embed_dim: int = 384) -> Path:
    """The shipped configuration of a tower, shrunk."""
    folder.mkdir()
    for path in WEIGHTS.joinpath(name).glob("*config.json"):
        if path.name != "tokenizer_config.json":
            (folder / path.name).write_text(path.read_text())

    def shrink_clip(config: dict[str, Any]) -> None:
        config["model_cfg"]["embed_dim"] = embed_dim
        for tower, small in SMALL_CLIP.items():
            config["model_cfg"][tower] |= small
        config["preprocess_cfg"]["size"] = 32

    def shrink_timm(config: dict[str, Any]) -> None:
        config["model_args"] |= SMALL_EFFICIENTVIT
        config["num_features"] = 16
        config["pretrained_cfg"]["input_size"] = [3, 32, 32]

    def shrink_blip(config: dict[str, Any]) -> None:
        config["vision_config"] |= SMALL_VIT
        config["text_config"] |= SMALL_TEXT

    if name.startswith("clip"):
        edit(folder / "open_clip_config.json", shrink_clip)
    elif name == "vision-b":
        edit(folder / "config.json", shrink_timm)
    elif name == "blip-a":
        edit(folder / "config.json", shrink_blip)
        edit(folder / "preprocessor_config.json", lambda c: c["size"].update(height=32, width=32))
    else:
        sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
        edit(folder / "config.json", lambda c: c.update(SMALL_VIT))
        edit(folder / "preprocessor_config.json", lambda c: c.update(sizes))
    return folder


def _teacher(folder: Path, *, embed_dim: int = 384) -> Path:
    """A small CLIP with random parameters."""
    import open_clip
    from safetensors.torch import save_file

    _tower("clip-a", folder, embed_dim=embed_dim)
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    names = ("embed_dim", "vision_cfg", "text_cfg")
    model = open_clip.CLIP(**{name: config[name] for name in names})
    save_file(model.half().state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture
def toy_tower(tmp_path: Path) -> Callable[[str], Path]:
    """``toy_tower(name)``: a folder with the shipped configuration of a tower, shrunk."""
    return lambda name: _tower(name, tmp_path / name)


@pytest.fixture
def toy_teacher(tmp_path: Path) -> Callable[[int], Path]:
    """``toy_teacher(embed_dim)``: a folder with a small CLIP of random parameters."""
    return lambda embed_dim: _teacher(tmp_path / f"teacher-{embed_dim}", embed_dim=embed_dim)


@pytest.fixture
def regression() -> Callable[..., RegressionConfig]:
    """``regression(option=value)``: a recipe's options with the ones it has to have."""
    required: dict[str, Any] = {"name": "toy", "objective": "regression", "tower": "."}
    required["data"] = {"plugin": "painter"}
    return lambda **options: RegressionConfig.model_validate(required | options)


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Trained]:
    """``train(recipe, folder, *overrides)``: run a recipe at toy size."""

    def run(recipe: str, folder: Path, *overrides: str) -> Trained:
        path = ROOT / "experiments" / "train" / recipe
        toy = [*TOY, f"tower={folder}"]
        starts = any(override.startswith("start=") for override in overrides)
        if recipe.startswith("clip") and not starts:  # whose text tower another recipe trains
            toy += ["start=null", "freeze_text=false", "candidates=0"]
        if not recipe.startswith("clip"):  # whose teacher is the packaged CLIP
            toy += ["teacher=null", "distill=0", "contrast=0", "candidates=0"]
        if not recipe.startswith("vision"):  # vision towers have no tokenizer
            toy.append(f"vocabulary={'null' if starts else 600}")
        registry = Registry()
        loaded = load_recipe(path, registry, (*toy, *overrides))
        return execute(loaded, registry, runs=tmp_path / "runs")

    return run
