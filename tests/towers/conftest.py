"""Small towers with random parameters, and a hub cache of the test's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from unprompt._files.hashing import file_hash
from unprompt.contracts import Runtime
from unprompt.towers import ClipTowers, TimmTower, VisionTower
from unprompt_clip.l14 import L14Options
from unprompt_clip.l16_384 import L16Options
from unprompt_knn.options import KnnOptions

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
VISION = {
    "model_type": "clip_vision_model",
    "hidden_act": "quick_gelu",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "patch_size": 8,
    "image_size": 32,
    "projection_dim": 16,
}
PROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 32},
    "crop_size": {"height": 32, "width": 32},
    "image_mean": CLIP_MEAN,
    "image_std": CLIP_STD,
    "resample": 3,
}
CLIP = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32,
        "layers": 2,
        "width": 32,
        "head_width": 16,
        "patch_size": 8,
    },
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 1,
    },
}
CLIP_PREPROCESS = {
    "size": 32,
    "mode": "RGB",
    "mean": CLIP_MEAN,
    "std": CLIP_STD,
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}

MakeFolder = Callable[..., Path]
OFFLINE = Runtime(offline=True)
OPTIONS: dict[Any, type[BaseModel]] = {
    ClipTowers: KnnOptions,
    VisionTower: L14Options,
    TimmTower: L16Options,
}


def read(tower: Any, **given: Any) -> Any:
    """What YAML says of a tower's backbone, checked."""
    options: Any = OPTIONS[tower].model_validate({"backbone": given})
    return options.backbone


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


@dataclass(frozen=True)
class HubCache:
    """The hub's cache on disk, laid out as huggingface_hub lays it out."""

    folder: Path

    def of(self, repository: str) -> Path:
        """Where a repository lies, or would."""
        return self.folder / f"models--{repository.replace('/', '--')}"

    def add(self, repository: str, source: Path) -> Path:
        """Put a folder's files there as if they had been downloaded; gives the snapshot."""
        commit = "0123456789abcdef0123456789abcdef01234567"
        folder = self.of(repository)
        snapshot, blobs, refs = folder / "snapshots" / commit, folder / "blobs", folder / "refs"
        for folder in (snapshot, blobs, refs):
            folder.mkdir(parents=True, exist_ok=True)
        (refs / "main").write_text(commit)
        for path in source.iterdir():
            blob = blobs / file_hash(path)
            shutil.copyfile(path, blob)
            (snapshot / path.name).symlink_to(f"../../blobs/{blob.name}")
        return snapshot


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubCache:
    """An empty hub cache, which is what libraries read until the test is over."""
    from huggingface_hub import constants

    cache = HubCache(tmp_path / "hub-cache")
    cache.folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache.folder))
    # Towers set it where the runtime is offline; this takes it back afterwards.
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return cache


@pytest.fixture
def vision_folder(tmp_path: Path) -> MakeFolder:
    """``vision_folder(name, **changes)``: a small transformers CLIP vision tower."""

    def make(name: str = "vision", *, weights: bool = True, **changes: Any) -> Path:
        import torch
        from safetensors.torch import save_file
        from transformers import CLIPVisionConfig, CLIPVisionModel

        folder = tmp_path / name
        folder.mkdir()
        write_json(folder / "config.json", VISION | changes)
        write_json(folder / "preprocessor_config.json", PROCESSOR)
        if weights:
            torch.manual_seed(1)
            model = CLIPVisionModel(CLIPVisionConfig.from_pretrained(folder))
            state = {key: value.contiguous() for key, value in model.state_dict().items()}
            save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return make


@pytest.fixture
def clip_folder(tmp_path: Path) -> MakeFolder:
    """``clip_folder(name)``: a small open_clip model."""

    def make(name: str = "clip") -> Path:
        import open_clip
        import torch
        from safetensors.torch import save_file

        folder = tmp_path / name
        folder.mkdir()
        content = {"model_cfg": CLIP, "preprocess_cfg": CLIP_PREPROCESS}
        write_json(folder / "open_clip_config.json", content)
        torch.manual_seed(2)
        state = open_clip.CLIP(**CLIP).state_dict()
        save_file(state, folder / "open_clip_model.safetensors")
        return folder

    return make


@pytest.fixture
def small_clip(tmp_path: Path) -> str:
    """The name under which open_clip knows the architecture of `clip_folder`."""
    import open_clip

    folder = tmp_path / "architectures"
    folder.mkdir()
    write_json(folder / "unprompt-small.json", CLIP)
    open_clip.add_model_config(folder)
    return "unprompt-small"


@pytest.fixture
def timm_folder(tmp_path: Path) -> MakeFolder:
    """A small timm model."""

    def make() -> Path:
        import timm
        from timm.models import save_for_hf

        model = timm.create_model("test_vit")
        save_for_hf(model, str(tmp_path / "timm"), safe_serialization=True)
        return tmp_path / "timm"

    return make
