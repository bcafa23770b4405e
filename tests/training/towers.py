"""Towers of a few thousand random parameters, saved as transformers and timm keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIDE = 32


def save_vision(folder: Path) -> Path:
    """A CLIP vision tower of three blocks by transformers; its features are 24 wide."""
    import torch
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 16,
    }
    model = CLIPVisionModel(CLIPVisionConfig(**sizes))
    for name, parameter in model.named_parameters():
        if "norm" not in name and parameter.ndim > 1:
            parameter.data.normal_(std=0.3)  # smaller weights do not see the image
    model.save_pretrained(folder)
    CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    ).save_pretrained(folder)
    return folder


def save_timm(folder: Path) -> Path:
    """A ViT of three blocks by timm; its features are 24 wide."""
    import timm
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 0,
        "num_features": 24,
        "model_args": {"img_size": SIDE, "embed_dim": 24, "depth": 3, "num_heads": 2},
        "pretrained_cfg": {
            "num_classes": 0,
            "input_size": [3, SIDE, SIDE],
            "crop_pct": 1.0,
            "interpolation": "bicubic",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "classifier": "head",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(1)
    model = timm.create_model(f"local-dir:{folder}", pretrained=False, num_classes=0)
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder
