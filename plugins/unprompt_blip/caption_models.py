"""Loading captioners: from a folder, from the hub's cache, or with random parameters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from unprompt import Runtime
from unprompt.towers import CHECKPOINT, find_folder, load_pretrained, loading, origin_needs
from unprompt_blip.sources import CaptionerConfig

OWNER = "captioner"
CONFIG = (
    ("config.json",),
    ("preprocessor_config.json", "processor_config.json"),
    ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"),
)
"""The files around a checkpoint."""

_LARGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
}
BLIP: dict[str, dict[str, Any]] = {
    "Salesforce/blip-image-captioning-base": {},
    "Salesforce/blip-image-captioning-large": _LARGE,
}
"""Vision architectures, as ``transformers.BlipVisionConfig`` takes them.

Source: each repository's ``config.json``, without what transformers has as its default. The text
decoder is the same: 12 layers of 768 with 12 heads.
"""


class StandIn:
    """Takes a processor's place in a dry run without files: BLIP's pixels, numbers for words."""

    chat_template = None

    @property
    def image_processor(self) -> Any:
        """Of BLIP: 384 by 384 pixels."""
        from transformers import BlipImageProcessor

        return BlipImageProcessor()

    def batch_decode(self, tokens: Any, *, skip_special_tokens: bool) -> list[str]:
        """Token numbers as text."""
        return [" ".join(str(token) for token in row) for row in tokens.tolist()]


def folder_of(config: CaptionerConfig, runtime: Runtime) -> Path | None:
    """The model's folder, checked, downloaded where it may be.

    Returns:
        None in a dry run of a model whose architecture is known, where its files are not here.

    Raises:
        MissingFileError: A file is neither here nor on the hub.
        DataError: A file in the folder is damaged.
    """
    if not runtime.dry_run:
        return find_folder(config.origin, (*CONFIG, CHECKPOINT), runtime, OWNER)
    known = config.origin in BLIP
    if known and not all(need.here for need in origin_needs(config.origin, CONFIG)):
        return None
    return find_folder(config.origin, CONFIG, runtime, OWNER)


def load(config: CaptionerConfig, runtime: Runtime) -> tuple[Any, Any]:
    """Model, in evaluation mode on its device, and processor.

    Raises:
        MissingFileError: As `folder_of` does.
        DataError: A file is damaged or holds something else.
    """
    if runtime.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = folder_of(config, runtime)
    processor: Any = StandIn()
    if folder is not None:
        with loading(config.describe(), OWNER):
            auto: Any = AutoProcessor
            processor = auto.from_pretrained(str(folder), local_files_only=True)
    if runtime.dry_run or folder is None:
        return random_model(config, runtime).eval(), processor
    model = load_pretrained(AutoModelForImageTextToText, folder, config.describe(), OWNER)
    return model.to(runtime.device).eval(), processor


def random_model(config: CaptionerConfig, runtime: Runtime) -> Any:
    """The architecture with random parameters, on the runtime's device."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, BlipConfig

    folder = folder_of(config, runtime)
    auto: Any = AutoModelForImageTextToText
    with loading(config.describe(), OWNER):
        architecture: Any = (
            BlipConfig(
                text_config={"num_attention_heads": 12}, vision_config=BLIP[str(config.origin)]
            )
            if folder is None
            else AutoConfig.from_pretrained(str(folder), local_files_only=True)
        )
        with torch.device(runtime.device):
            return auto.from_config(architecture)
