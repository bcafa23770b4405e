"""Architectures of a few hub models, so that they can be built where nothing is downloaded.

Source: the ``config.json`` of each repository, without what transformers has as its default.
"""

from __future__ import annotations

from typing import Any

_CLIP_L = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "projection_dim": 768,
}

CLIP_VISION: dict[str, dict[str, Any]] = {
    "openai/clip-vit-large-patch14": {**_CLIP_L, "patch_size": 14, "image_size": 224},
    "openai/clip-vit-large-patch14-336": {**_CLIP_L, "patch_size": 14, "image_size": 336},
    "openai/clip-vit-base-patch32": {"projection_dim": 512},
    "openai/clip-vit-base-patch16": {"projection_dim": 512, "patch_size": 16},
}
"""Keyword arguments of ``transformers.CLIPVisionConfig``."""

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of every OpenAI CLIP, and of BLIP."""
