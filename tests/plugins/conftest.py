"""Towers with random parameters: in the shape of those that ship, and smaller ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unprompt_painter
from unprompt.contracts import Runtime
from unprompt.embeddings import unit
from unprompt.towers import ClipTowers, FolderSource
from unprompt.types import FloatArray
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.phrases import Phrases
from unprompt_blip.tables import read_tables

from .small_towers import save_blip, save_clip

CHECKPOINTS = Path(unprompt_painter.__file__).parent / "checkpoints"
RandomTower = Callable[[str], Path]


def _clip(folder: Path) -> None:
    import open_clip
    import torch
    from safetensors.torch import save_file

    for name in ("tokenizer.json", "tokenizer_config.json"):  # of the same vocabulary
        shutil.copy(CHECKPOINTS / "clip-a" / name, folder)
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    # Random towers say nearly the same of everything; larger embeddings tell things apart.
    model.token_embedding.weight.data.normal_(std=1.0)
    model.visual.conv1.weight.data.normal_(std=1.0)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")


def _timm(folder: Path) -> None:
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    model = timm.create_model(f"local-dir:{folder}", pretrained=False)
    save_file(model.state_dict(), folder / "model.safetensors")


def _blip(folder: Path) -> None:
    import torch
    from transformers import BlipConfig, BlipForConditionalGeneration

    from unprompt._recipes.tokenizer import make_writing_tokenizer
    from unprompt_painter.world import World

    config = BlipConfig.from_pretrained(folder)
    text: Any = config.text_config
    prompts = [World(5).prompt(i) for i in range(2000)]
    tokenizer = make_writing_tokenizer(prompts, text.vocab_size, text.max_position_embeddings)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(2)
    model = BlipForConditionalGeneration(config)
    for name, parameter in model.named_parameters():
        if "norm" not in name.lower() and parameter.ndim > 1:
            parameter.data.normal_(std=0.3)  # smaller weights do not see the image
    words = model.text_decoder.cls.predictions.bias.data
    words[:260] = words[len(tokenizer) :] = -100  # no single bytes, and nothing without a text
    model.save_pretrained(folder)


_MAKERS = {"clip-b": _clip, "vision-b": _timm, "blip-a": _blip}


@pytest.fixture(scope="session")
def random_tower(tmp_path_factory: pytest.TempPathFactory) -> RandomTower:
    """``random_tower(name)``: the shipped configuration of a tower with random parameters."""
    folders: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in folders:
            folder = tmp_path_factory.mktemp("random-towers") / name
            folder.mkdir()
            for path in CHECKPOINTS.joinpath(name).glob("*config.json"):
                if path.name != "tokenizer_config.json":
                    shutil.copy(path, folder)
            _MAKERS[name](folder)
            folders[name] = folder
        return folders[name]

    return make


def load_clip(folder: Path) -> ClipTowers:
    """The towers in a folder."""
    return ClipTowers(FolderSource.model_validate({"folder": str(folder)}), Runtime(), "test")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("towers") / "clip")


@pytest.fixture(scope="session")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_blip(tmp_path_factory.mktemp("towers") / "blip")


@pytest.fixture(scope="session", params=["simple", "words", "seamless"])
def towers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ClipTowers:
    """A CLIP with each kind of tokenizer."""
    return load_clip(save_clip(tmp_path_factory.mktemp("clip") / request.param, request.param))


@pytest.fixture(scope="session")
def simple(tmp_path_factory: pytest.TempPathFactory) -> ClipTowers:
    return load_clip(save_clip(tmp_path_factory.mktemp("clip") / "simple", seed=1))


@pytest.fixture(scope="session")
def phrases(simple: ClipTowers) -> Phrases:
    """Our own tables by `simple`."""
    tables = read_tables(InterrogatorOptions.model_validate({"mode": "negative"}))
    return Phrases.of(tables, simple, Runtime())


@pytest.fixture(scope="session")
def image_rows(simple: ClipTowers) -> FloatArray:
    """Unit rows of five images."""
    return unit(np.random.default_rng(3).normal(size=(5, simple.dim)))
